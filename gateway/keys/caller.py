"""`Caller`: who sent a request, as far as the rest of the gateway needs to know."""

from dataclasses import dataclass

from gateway.keys.store import ApiKey


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of a key, or anyone where there are no keys; a limit of None is no limit."""

    name: str = ""
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrency: int | None = None
    models: tuple[str, ...] | None = None
    weight: float = 1.0
    sees_metrics: bool = True

    @classmethod
    def of(cls, key: ApiKey) -> "Caller":
        """Return the holder of a key."""
        return cls(
            key.name,
            key.requests_per_minute,
            key.tokens_per_minute,
            key.concurrency,
            key.models,
            key.priority,
            key.metrics,
        )

    @property
    def limited(self) -> bool:
        """Whether anything has to be counted."""
        limits = (self.requests_per_minute, self.tokens_per_minute, self.concurrency)
        return any(limit is not None for limit in limits)

    def may_use(self, model: str) -> bool:
        """Return whether the key admits to this model."""
        return self.models is None or model in self.models


ANYONE = Caller()

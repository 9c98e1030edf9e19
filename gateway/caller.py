"""`Caller`: who sent a request, and what this caller may do."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of an API key, or anyone where there are no keys; None is no limit.

    `weight` is the share of the queue where requests wait. Limits are per minute.
    """

    name: str = ""
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrency: int | None = None
    models: tuple[str, ...] | None = None
    weight: float = 1.0
    sees_metrics: bool = True

    @property
    def limited(self) -> bool:
        """Whether anything has to be counted."""
        limits = (self.requests_per_minute, self.tokens_per_minute, self.concurrency)
        return any(limit is not None for limit in limits)

    def may_use(self, model: str) -> bool:
        """Whether the key is for this model."""
        return self.models is None or model in self.models


ANYONE = Caller()

"""`Caller`: who sent a request, and what this caller may do."""

from typing import Literal

from pydantic import Field

from engine import ConfigModel

Reported = Literal["report", "refuse"]
OverContext = Literal["lower", "refuse"]


class Caller(ConfigModel):
    """The holder of an API key, or anyone where there are no keys; a limit of None is none.

    `priority` is the share of the queue: a caller of priority 4 gets four times the tokens of one
    of priority 1. Concurrency is counted in each replica. `metrics` admits to `/metrics`, which
    shows the names of all keys. `unknown_fields`, `unsupported_hints` and
    `max_tokens_over_context` are those of the config where they are None.
    """

    name: str = ""
    requests_per_minute: int | None = Field(default=None, ge=1, le=10**12)
    tokens_per_minute: int | None = Field(default=None, ge=1, le=10**12)
    concurrency: int | None = Field(default=None, ge=1, le=10**12)
    models: tuple[str, ...] | None = None
    priority: float = Field(default=1.0, ge=0.01, le=100)
    metrics: bool = True
    unknown_fields: Reported | None = None
    unsupported_hints: Reported | None = None
    max_tokens_over_context: OverContext | None = None

    @property
    def limited(self) -> bool:
        """Whether anything has to be counted."""
        limits = (self.requests_per_minute, self.tokens_per_minute, self.concurrency)
        return any(limit is not None for limit in limits)

    def may_use(self, model: str) -> bool:
        """Whether the key is for this model."""
        return self.models is None or model in self.models


ANYONE = Caller()

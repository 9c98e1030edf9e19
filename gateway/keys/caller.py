"""`Caller`: whose request it is, as far as the rest of the gateway wants to know."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from starlette.requests import Request

from engine import GenerateRequest
from gateway.keys.store import ApiKey
from gateway.policies.token_estimate import estimate_prompt_tokens

GRACE_SECONDS: Final = 1.0  # the SDK's own timeout comes first: it raises what its users expect


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of a key, or anyone where there are no keys; None is without limit."""

    name: str = ""
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrency: int | None = None
    models: tuple[str, ...] | None = None
    weight: float = 1.0
    sees_metrics: bool = True

    @classmethod
    def of(cls, key: ApiKey) -> "Caller":
        """Give the holder of a key."""
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
        """Whether the key is for this model."""
        return self.models is None or model in self.models


ANYONE = Caller()


def caller_of(request: Request) -> Caller:
    """Give whose request it is."""
    caller: Caller = request.scope.get("caller", ANYONE)
    return caller


def for_caller(
    request: Request, wanted: Iterable[GenerateRequest], *, stream: bool
) -> Sequence[GenerateRequest]:
    """Give the completions with whose they are, and how long the caller waits for them."""
    caller = caller_of(request)
    patience = None if stream else _patience(request)
    estimates: dict[int, int] = {}  # the choices of a prompt share it
    completions = []
    for one in wanted:
        if id(one.prompt) not in estimates:
            estimates[id(one.prompt)] = estimate_prompt_tokens(one.prompt)
        completions.append(
            replace(
                one,
                caller=caller.name,
                weight=caller.weight,
                timeout_seconds=patience,
                estimated_prompt_tokens=estimates[id(one.prompt)],
            )
        )
    return completions


def _patience(request: Request) -> float | None:
    """Read how long OpenAI's SDK waits for a whole answer: it sends its time limit along.

    Of a stream it is the wait for the next byte, which pings are too.
    """
    try:
        seconds = float(request.headers.get("x-stainless-read-timeout", ""))
    except ValueError:
        return None
    return seconds + GRACE_SECONDS if 0 < seconds < float("inf") else None

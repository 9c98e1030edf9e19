"""The engine requests of a caller: whose they are, and how long their client waits."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from starlette.requests import Request

from engine import GenerateRequest
from gateway.keys.middleware import caller_of
from gateway.policies.token_estimate import estimate_prompt_tokens

# The SDK's own timeout comes first, so that its users see the exception that they expect.
GRACE_SECONDS: Final = 1.0


def for_caller(
    request: Request, wanted: Iterable[GenerateRequest], *, stream: bool
) -> Sequence[GenerateRequest]:
    """Return the engine requests with their caller, timeout and estimated prompt tokens."""
    caller = caller_of(request)
    timeout = None if stream else _client_timeout(request)
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
                timeout_seconds=timeout,
                estimated_prompt_tokens=estimates[id(one.prompt)],
            )
        )
    return completions


def _client_timeout(request: Request) -> float | None:
    """Return how long OpenAI's SDK waits for a whole response: it sends its read timeout.

    For a stream that is the wait for the next byte, which a ping is too.
    """
    try:
        seconds = float(request.headers.get("x-stainless-read-timeout", ""))
    except ValueError:
        return None
    return seconds + GRACE_SECONDS if 0 < seconds < float("inf") else None

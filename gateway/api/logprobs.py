"""Log-probabilities as the endpoints show them."""

from collections.abc import Sequence
from typing import Any

from engine import TokenLogprob

# JSON has no infinity: OpenAI writes this for a token that had no probability.
_FLOOR = -9999.0


def chat_logprobs(logprobs: Sequence[TokenLogprob]) -> dict[str, Any] | None:
    """Write a chat choice's `logprobs`; None where none were asked for."""
    if not logprobs:
        return None
    return {"content": response_logprobs(logprobs), "refusal": None}


def response_logprobs(logprobs: Sequence[TokenLogprob]) -> list[dict[str, Any]]:
    """Write the entries of a response's text."""
    return [_entry(token) | {"top_logprobs": [_entry(t) for t in token.top]} for token in logprobs]


def completion_logprobs(logprobs: Sequence[TokenLogprob], offset: int) -> dict[str, Any] | None:
    """Write a completion choice's `logprobs`; `offset` is the first token's, in characters."""
    if not logprobs:
        return None
    offsets = []
    for token in logprobs:
        offsets.append(offset)
        offset += len(token.token)
    return {
        "tokens": [token.token for token in logprobs],
        "token_logprobs": [_finite(token.logprob) for token in logprobs],
        "top_logprobs": [{t.token: _finite(t.logprob) for t in token.top} for token in logprobs],
        "text_offset": offsets,
    }


def _entry(token: TokenLogprob) -> dict[str, Any]:
    return {
        "token": token.token,
        "logprob": _finite(token.logprob),
        "bytes": list(token.token.encode("utf-8", "replace")),
    }


def _finite(logprob: float) -> float:
    return max(logprob, _FLOOR)

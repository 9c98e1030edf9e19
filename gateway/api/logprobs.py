"""Log-probabilities as the endpoints show them."""

from collections.abc import Sequence
from itertools import accumulate

from typing_extensions import TypedDict

from engine import TokenLogprob

# JSON has no infinity: OpenAI writes this for a token that had no probability.
_FLOOR = -9999.0


class Alternative(TypedDict):
    """A token, its log-probability and its bytes in UTF-8."""

    token: str
    logprob: float
    bytes: list[int]


class LogprobEntry(Alternative):
    """A generated token and the likeliest tokens in its position."""

    top_logprobs: list[Alternative]


class ChatLogprobs(TypedDict):
    """The `logprobs` of a chat's choice."""

    content: list[LogprobEntry]
    refusal: None


class CompletionLogprobs(TypedDict):
    """The `logprobs` of a completion's choice; offsets are in characters."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int]


def chat_logprobs(logprobs: Sequence[TokenLogprob]) -> ChatLogprobs | None:
    """Return a chat choice's `logprobs`; None where none were asked for."""
    if not logprobs:
        return None
    return {"content": response_logprobs(logprobs), "refusal": None}


def response_logprobs(logprobs: Sequence[TokenLogprob]) -> list[LogprobEntry]:
    """Return the entries of a text's tokens."""
    return [
        {**_entry(token), "top_logprobs": [_entry(other) for other in token.top]}
        for token in logprobs
    ]


def completion_logprobs(logprobs: Sequence[TokenLogprob], offset: int) -> CompletionLogprobs | None:
    """Return a completion choice's `logprobs`; `offset` is the first token's, in characters."""
    if not logprobs:
        return None
    lengths = (len(token.token) for token in logprobs[:-1])
    return {
        "tokens": [token.token for token in logprobs],
        "token_logprobs": [max(token.logprob, _FLOOR) for token in logprobs],
        "top_logprobs": [{t.token: max(t.logprob, _FLOOR) for t in g.top} for g in logprobs],
        "text_offset": list(accumulate(lengths, initial=offset)),
    }


def _entry(token: TokenLogprob) -> Alternative:
    return {
        "token": token.token,
        "logprob": max(token.logprob, _FLOOR),
        "bytes": list(token.token.encode("utf-8", "replace")),
    }

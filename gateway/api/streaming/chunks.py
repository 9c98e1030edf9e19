"""`Framer`: writes the deltas of one streamed answer as frames."""

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from engine import TokenDelta, TokenLogprob
from gateway.api.schema import ResponseHead
from gateway.api.streaming.choices import UsageTotals
from gateway.api.streaming.sse import DONE, frame
from gateway.errors import ApiError


class Framer(ABC):
    """The base of an endpoint's framer, which says what a choice looks like.

    A text delta costs one JSON string between two ready-made pieces: no model, no dict.
    """

    object_: ClassVar[str]

    def __init__(
        self, head: ResponseHead, count: int, tally: UsageTotals, *, include_usage: bool
    ) -> None:
        self._base = head.fields(self.object_)
        self._tally = tally
        self._left = count
        self._include_usage = include_usage
        self._begun: set[int] = set()
        self._around: dict[int, tuple[bytes, bytes]] = {}

    def feed(self, index: int, delta: TokenDelta) -> bytes:
        """Write the frames of one delta; empty text makes no chunk of its own."""
        data = b"" if index in self._begun else self._begin(index)
        data += self.middle(index, delta)
        return data if delta.finish_reason is None else data + self._end(index, delta)

    def fail(self, error: ApiError) -> bytes:
        """Write an error as a frame."""
        return frame(error.body())

    def end(self) -> bytes:
        """Write the last frame of every stream."""
        return DONE

    def middle(self, index: int, delta: TokenDelta) -> bytes:
        """Write the frames of a delta's text and logprobs."""
        if delta.logprobs:
            return self.chunk(self.choice(index, delta.text, None, delta.logprobs))
        if not delta.text:
            return b""
        before, after = self._around[index]
        return before + json.dumps(delta.text, ensure_ascii=False).encode() + after

    def reason(self, index: int, delta: TokenDelta) -> str | None:  # noqa: ARG002 - chat looks
        """Say why a choice ended, in the endpoint's words."""
        return delta.finish_reason

    @abstractmethod
    def opening(self, index: int) -> list[dict[str, Any]]:
        """Give the choices of the chunks that come before a choice's first text."""

    @abstractmethod
    def choice(
        self,
        index: int,
        text: str | None,
        finish_reason: str | None,
        logprobs: Sequence[TokenLogprob],
    ) -> dict[str, Any]:
        """Give a chunk's choice; `text` is None in the last one."""

    def _begin(self, index: int) -> bytes:
        self._begun.add(index)
        before, after = self.chunk(self.choice(index, "\0", None, ())).split(b'"\\u0000"')
        self._around[index] = before, after
        return b"".join(self.chunk(choice) for choice in self.opening(index))

    def _end(self, index: int, delta: TokenDelta) -> bytes:
        self._tally.add(index, delta.usage)
        self._left -= 1
        last = self.chunk(self.choice(index, None, self.reason(index, delta), ()))
        if self._left or not self._include_usage:
            return last
        return last + frame(self._base | {"choices": [], "usage": self._tally.body()})

    def chunk(self, choice: dict[str, Any]) -> bytes:
        """Write one choice as a whole frame."""
        usage = {"usage": None} if self._include_usage else {}
        return frame(self._base | {"choices": [choice]} | usage)

"""`Deadline`: limits on the whole of a request, on its first token, and on the wait between two."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from engine import DeadlineExceeded, Engine, GenerateRequest, TokenDelta
from gateway.policies.base import EngineMiddleware

_WHOLE: Final = "The request took longer than {:g} s."
_FIRST: Final = "There was no first token within {:g} s."
_STALL: Final = "The engine gave no token for {:g} s."


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """Seconds: for all of a request with its wait in the queue, to its first token, between two."""

    whole: float
    first: float
    stall: float


class Deadline(EngineMiddleware):
    """An Engine around an Engine; what is late ends with DeadlineExceeded and frees its slot."""

    def __init__(self, engine: Engine, limits: TimeLimits) -> None:
        super().__init__(engine)
        self._limits = limits

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[TokenDelta, None]:
        """Stream from the engine behind while it is in time."""
        timer = _Timer(self._limits, request.timeout_seconds)
        try:
            async with aclosing(self._engine.generate(request)) as deltas:
                while True:
                    timer.begin()
                    try:
                        delta = await anext(deltas)
                    except StopAsyncIteration:
                        return
                    except asyncio.CancelledError:
                        timer.raise_if_late()
                        raise
                    timer.end()
                    yield delta
        finally:
            timer.close()


class _Timer:
    """One timer of the loop for a whole stream: a delta costs two assignments, not a timer.

    When it rings it looks whether anything is late, and else sets itself anew. Only the wait for
    the engine counts: a reader who does not read is not the engine's fault.
    """

    def __init__(self, limits: TimeLimits, timeout_seconds: float | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._limits = limits
        self._whole = min(limits.whole, timeout_seconds or limits.whole)
        self._end = self._loop.time() + self._whole
        self._since = self._loop.time()
        self._seconds, self._why = limits.first, _FIRST
        self._task: asyncio.Task[object] | None = None
        self._late: str | None = None
        self._handle = self._loop.call_later(min(self._whole, limits.first), self._ring)

    def begin(self) -> None:
        """Note that the engine is waited for."""
        self._since = self._loop.time()
        self._task = asyncio.current_task(self._loop)  # without it, twice as dear

    def end(self) -> None:
        """Note that it gave something."""
        self._task = None
        if self._why is _FIRST:
            self._seconds, self._why = self._limits.stall, _STALL
            self._handle.cancel()
            self._handle = self._loop.call_later(min(self._whole, self._seconds), self._ring)

    def close(self) -> None:
        """Stop the clock."""
        self._handle.cancel()

    def raise_if_late(self) -> None:
        """Turn a cancellation that was ours into DeadlineExceeded."""
        if self._late is not None and self._task is not None and self._task.uncancel() == 0:
            raise DeadlineExceeded(self._late)

    def _ring(self) -> None:
        now = self._loop.time()
        late = self._late_at(now)
        if late is not None and self._task is not None:
            self._late = late
            self._task.cancel()
            return
        due = min(self._end, self._since + self._seconds) if self._task else now + 1.0
        self._handle = self._loop.call_at(max(due, now + 0.001), self._ring)

    def _late_at(self, now: float) -> str | None:
        if now >= self._end:
            return _WHOLE.format(self._whole)
        if now >= self._since + self._seconds:
            return self._why.format(self._seconds)
        return None

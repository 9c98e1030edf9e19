"""`Deadline`: time limits of a whole request, of its first token, and between two tokens."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from engine import DeadlineExceeded, Engine, GenerateRequest, TokenDelta
from gateway.config import Limits
from gateway.policies.base import EngineMiddleware

_LATE_REQUEST: Final = "The request took longer than {:g} s."
_LATE_START: Final = "There was no first token within {:g} s."
_STALLED: Final = "The engine generated no token for {:g} s."
RECHECK_SECONDS: Final = 1.0  # while the reader, not the engine, is waited for


class Deadline(EngineMiddleware):
    """Middleware that ends a late stream with DeadlineExceeded and so frees its slot.

    The limits of a request and of its first token include its time in the queue.
    """

    def __init__(self, engine: Engine, limits: Limits) -> None:
        super().__init__(engine)
        self._limits = limits

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[TokenDelta, None]:
        """Yield the deltas of the wrapped engine; raises DeadlineExceeded."""
        timer = _Timer(self._limits, request.timeout_seconds)
        try:
            async with aclosing(self._engine.generate(request)) as deltas:
                while True:
                    timer.start_wait()
                    try:
                        delta = await anext(deltas)
                    except StopAsyncIteration:
                        return
                    except asyncio.CancelledError:
                        timer.raise_if_expired()
                        raise
                    timer.end_wait()
                    yield delta
        finally:
            timer.close()


class _Timer:
    """One timer of the event loop for a whole stream: a delta costs two assignments.

    When it fires it checks whether a limit is exceeded, and else schedules itself again. Only the
    wait for the engine counts: a slow reader is not the engine's fault.
    """

    def __init__(self, limits: Limits, timeout_seconds: float | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._limits = limits
        self._request_seconds = min(
            limits.max_request_seconds, timeout_seconds or limits.max_request_seconds
        )
        self._wait_started_at = self._loop.time()
        self._ends_at = self._wait_started_at + self._request_seconds
        self._token_seconds, self._message = limits.ttft_timeout_seconds, _LATE_START
        self._waiting_task: asyncio.Task[object] | None = None
        self._expired: str | None = None
        self._schedule()

    def start_wait(self) -> None:
        """Begin to wait for the engine."""
        self._wait_started_at = self._loop.time()
        # The loop is passed, since to look it up costs as much again.
        self._waiting_task = asyncio.current_task(self._loop)

    def end_wait(self) -> None:
        """End the wait: the engine generated something."""
        self._waiting_task = None
        if self._message is _LATE_START:
            self._token_seconds = self._limits.inter_token_timeout_seconds
            self._message = _STALLED
            self._handle.cancel()
            self._schedule()

    def close(self) -> None:
        """Cancel the timer."""
        self._handle.cancel()

    def raise_if_expired(self) -> None:
        """Raise DeadlineExceeded where this timer cancelled the task, and nobody else did."""
        task = self._waiting_task
        if self._expired is not None and task is not None and task.uncancel() == 0:
            raise DeadlineExceeded(self._expired)

    def _schedule(self) -> None:
        seconds = min(self._request_seconds, self._token_seconds)
        self._handle = self._loop.call_later(seconds, self._on_timer)

    def _on_timer(self) -> None:
        now = self._loop.time()
        expired = self._exceeded_limit(now)
        if expired is not None and self._waiting_task is not None:
            self._expired = expired
            self._waiting_task.cancel()
            return
        due = now + RECHECK_SECONDS
        if self._waiting_task is not None:
            due = max(min(self._ends_at, self._wait_started_at + self._token_seconds), now + 0.001)
        self._handle = self._loop.call_at(due, self._on_timer)

    def _exceeded_limit(self, now: float) -> str | None:
        if now >= self._ends_at:
            return _LATE_REQUEST.format(self._request_seconds)
        if now >= self._wait_started_at + self._token_seconds:
            return self._message.format(self._token_seconds)
        return None

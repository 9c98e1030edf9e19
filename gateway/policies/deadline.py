"""`Deadline`: time limits of a whole request, of its first token, and between two tokens."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from engine import DeadlineExceeded, Engine, GenerateRequest, TokenDelta
from gateway.config import Limits
from gateway.policies.base import EngineMiddleware
from gateway.wait_timer import WaitTimer

_LATE_REQUEST: Final = "The request took longer than {:g} s."
_LATE_START: Final = "There was no first token within {:g} s."
_STALLED: Final = "The engine generated no token for {:g} s."


class Deadline(EngineMiddleware):
    """Middleware that ends a late stream with DeadlineExceeded and so frees its slot.

    The limits of a request and of its first token include its time in the queue.
    """

    def __init__(self, engine: Engine, limits: Limits) -> None:
        super().__init__(engine)
        self._limits = limits

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[TokenDelta, None]:
        """Yield the deltas of the wrapped engine; raises DeadlineExceeded."""
        limits, clock = self._limits, asyncio.get_running_loop().time
        longest = min(limits.max_request_seconds, request.timeout_seconds or float("inf"))
        ends_at = clock() + longest
        seconds, late = limits.ttft_timeout_seconds, _LATE_START
        timer = WaitTimer(ends_at)
        try:
            async with aclosing(self._engine.generate(request)) as deltas:
                while True:
                    timer.begin(seconds)
                    try:
                        delta = await anext(deltas)
                    except StopAsyncIteration:
                        return
                    except asyncio.CancelledError:
                        if not timer.expired():
                            raise
                        whole = clock() >= ends_at
                        raise DeadlineExceeded(
                            _LATE_REQUEST.format(longest) if whole else late.format(seconds)
                        ) from None
                    timer.end()
                    seconds, late = limits.inter_token_timeout_seconds, _STALLED
                    yield delta
        finally:
            timer.close()

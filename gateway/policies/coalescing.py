"""`Coalescing`: fewer and larger deltas before a process border, where each one is expensive."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from engine import Engine, GenerateRequest, TokenDelta
from gateway.policies.base import EngineMiddleware


class Coalescing(EngineMiddleware):
    """Middleware that reads the engine at most once in `window_seconds`.

    The engine itself merges what it generates meanwhile into its next delta. The first delta is
    not delayed, and neither is a stream that is slower than the window.
    """

    def __init__(self, engine: Engine, window_seconds: float) -> None:
        super().__init__(engine)
        self._window = window_seconds

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[TokenDelta, None]:
        """Yield the deltas of the wrapped engine, at most one in each window."""
        loop = asyncio.get_running_loop()
        async with aclosing(self._engine.generate(request)) as deltas:
            async for delta in deltas:
                yielded_at = loop.time()
                yield delta
                if delta.finish_reason is None:
                    await asyncio.sleep(yielded_at + self._window - loop.time())

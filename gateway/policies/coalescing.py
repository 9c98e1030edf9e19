"""`Coalescing`: fewer, larger deltas before a process border, where each is dear."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from engine import Engine, GenerateRequest, TokenDelta
from gateway.policies.base import EngineMiddleware


class Coalescing(EngineMiddleware):
    """An Engine around an Engine, read at most once in `window` seconds.

    What is made meanwhile the engine itself merges into its next delta. The first one is given at
    once, and a request that is slower than the window is not held back at all.
    """

    def __init__(self, engine: Engine, window: float) -> None:
        super().__init__(engine)
        self._window = window

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[TokenDelta, None]:
        """Stream from the engine behind, slowly enough for its deltas to grow."""
        loop = asyncio.get_running_loop()
        async with aclosing(self._engine.generate(request)) as deltas:
            async for delta in deltas:
                given = loop.time()
                yield delta
                if delta.finish_reason is None:
                    await asyncio.sleep(given + self._window - loop.time())

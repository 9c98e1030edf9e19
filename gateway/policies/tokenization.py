"""`TokenizationQueue`: admits the requests for tokens alone, which need no slot of the engine."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from engine import EngineOverloaded
from gateway.caller import Caller
from gateway.config import Limits
from gateway.policies.fair_queue import Queued
from gateway.policies.fair_slots import FairSlots

LARGE: Final = 5_000  # estimated tokens; the engine's tokenizer has a thread for such texts
AT_ONCE: Final = 2  # of either size: one is tokenized while another is sent
RETRY_SECONDS: Final = 1.0


class TokenizationQueue:
    """Two fair and bounded queues, so that a small text never waits for a large one."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._small, self._large = (FairSlots[Queued](AT_ONCE) for _ in range(2))

    @asynccontextmanager
    async def slot(self, caller: Caller, tokens: int) -> AsyncGenerator[None, None]:
        """Hold a slot during the block, for a text of about so many tokens.

        Raises EngineOverloaded if the queue is full, and DeadlineExceeded after a long wait.
        """
        slots = self._large if tokens > LARGE else self._small
        if slots.full and len(slots.queue) >= self._limits.max_queued:
            raise EngineOverloaded("Too many texts wait for the tokenizer.", RETRY_SECONDS)
        item = Queued(caller.name, tokens, caller.priority)
        async with slots.slot(item, self._limits.queue_timeout_seconds):
            yield

"""`FairSlots`: a number of slots, and a fair queue of those that wait for one."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Generic

from engine import DeadlineExceeded
from gateway.policies.fair_queue import FairQueue, Item


class FairSlots(Generic[Item]):
    """Holds the items that are running, at most `slots`, and those that are queued."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._admissions: dict[Item, asyncio.Future[None]] = {}  # of the queued items
        self.running: set[Item] = set()
        self.queue: FairQueue[Item] = FairQueue()

    @property
    def full(self) -> bool:
        """Whether the next item has to wait."""
        return len(self.running) >= self._slots or len(self.queue) > 0

    @asynccontextmanager
    async def slot(self, item: Item, wait_seconds: float) -> AsyncGenerator[None, None]:
        """Hold a slot during the block; raise DeadlineExceeded if the wait for it is longer."""
        try:
            if self.full:
                await self._wait(item, wait_seconds)
            else:
                self.running.add(item)
            yield
        finally:
            self._leave(item)

    async def _wait(self, item: Item, wait_seconds: float) -> None:
        self._admissions[item] = admission = asyncio.get_running_loop().create_future()
        self.queue.push(item)
        try:
            # Not wait_for: in Python 3.11 it loses a cancellation that comes with the result.
            async with asyncio.timeout(wait_seconds):
                await admission
        except TimeoutError:
            raise DeadlineExceeded("The request waited too long for a slot.") from None

    def _leave(self, item: Item) -> None:
        if self._admissions.pop(item, None) is not None and item not in self.running:
            self.queue.remove(item)
        self.running.discard(item)
        while self.queue and len(self.running) < self._slots:
            admitted = self.queue.pop()
            self.running.add(admitted)
            if not self._admissions[admitted].done():
                self._admissions[admitted].set_result(None)

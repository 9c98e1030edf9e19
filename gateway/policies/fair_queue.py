"""`FairQueue`: who is next, so that no caller's many requests starve another's few.

Start-time fair queueing, weighted by tokens: each caller has a clock of its own that goes on by
the tokens of its requests, divided by its weight; the lowest clock is next.
"""

import bisect
import itertools
from typing import Generic, Protocol, TypeVar


class Waiting(Protocol):
    """What can wait: whose it is, the tokens it takes, and the caller's share."""

    @property
    def caller(self) -> str: ...
    @property
    def cost(self) -> int: ...
    @property
    def weight(self) -> float: ...


Item = TypeVar("Item", bound=Waiting)


class FairQueue(Generic[Item]):
    """A queue of items, in the order in which they are served."""

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, Item]] = []
        self._clocks: dict[str, float] = {}
        self._now = 0.0
        self._numbers = itertools.count()

    def __len__(self) -> int:
        return len(self._entries)

    def push(self, item: Item) -> None:
        """Let an item wait at its turn."""
        start = max(self._now, self._clocks.get(item.caller, 0.0))
        self._clocks[item.caller] = start + item.cost / item.weight
        bisect.insort(self._entries, (start, next(self._numbers), item), key=lambda e: e[:2])

    def pop(self) -> Item:
        """Take the item that is next."""
        self._now, _, item = self._entries.pop(0)
        self._forget()
        return item

    def remove(self, item: Item) -> None:
        """Take out an item that gave up: its caller does not pay for what was not served."""
        left = [entry for entry in self._entries if entry[2] is not item]
        if len(left) < len(self._entries):
            self._clocks[item.caller] -= item.cost / item.weight
        self._entries = left
        self._forget()

    def ahead_of(self, item: Item) -> list[Item]:
        """List those that would be served before an item that came now."""
        start = max(self._now, self._clocks.get(item.caller, 0.0))
        return [other for begun, _, other in self._entries if begun <= start]

    def _forget(self) -> None:
        if not self._entries:  # nobody waits, so nobody is owed anything
            self._clocks.clear()
            self._now = 0.0

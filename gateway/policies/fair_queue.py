"""`FairQueue`: start-time fair queueing, so that one caller's many requests do not starve others.

Each caller has a virtual clock, which advances by the tokens of its requests divided by its
weight. The queued item with the lowest start time is served first.
"""

import bisect
import itertools
from dataclasses import dataclass
from typing import Generic, TypeVar


@dataclass(eq=False, slots=True)
class Queued:
    """An item of the queue: its caller, the tokens it costs, and the weight of the caller."""

    caller: str
    cost: int
    weight: float = 1.0


Item = TypeVar("Item", bound=Queued)


class FairQueue(Generic[Item]):
    """A queue of items in the order in which they are served."""

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, Item]] = []  # start time, arrival, item
        self._clocks: dict[str, float] = {}
        self._virtual_time = 0.0
        self._arrivals = itertools.count()

    def __len__(self) -> int:
        return len(self._entries)

    def push(self, item: Item) -> None:
        """Add an item, and advance the clock of its caller."""
        start = self._start_time(item)
        self._clocks[item.caller] = start + item.cost / item.weight
        bisect.insort(self._entries, (start, next(self._arrivals), item), key=lambda e: e[:2])

    def pop(self) -> Item:
        """Remove and return the next item."""
        self._virtual_time, _, item = self._entries.pop(0)
        self._reset_if_empty()
        return item

    def remove(self, item: Item) -> None:
        """Remove an item that is not served; its caller does not pay for it."""
        remaining = [entry for entry in self._entries if entry[2] is not item]
        if len(remaining) < len(self._entries):
            self._clocks[item.caller] -= item.cost / item.weight
        self._entries = remaining
        self._reset_if_empty()

    def ahead_of(self, item: Item) -> list[Item]:
        """Return the items that would be served before an item that is pushed now."""
        start = self._start_time(item)
        return [other for other_start, _, other in self._entries if other_start <= start]

    def _start_time(self, item: Item) -> float:
        return max(self._virtual_time, self._clocks.get(item.caller, 0.0))

    def _reset_if_empty(self) -> None:
        if not self._entries:
            self._clocks.clear()
            self._virtual_time = 0.0

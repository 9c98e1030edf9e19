"""`WaitEstimator`: how fast an engine goes, learnt from the requests it served, and what that predicts."""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

LEARNING: Final = 0.2  # the weight of the newest request in an average
LEAST_LEFT: Final = 0.25  # of an average answer: what one that is longer than average has left


@dataclass(slots=True)
class Average:
    """An average in which the old fades; None until something was seen."""

    value: float | None = None

    def add(self, value: float) -> None:
        """Take a value in."""
        old = value if self.value is None else self.value
        self.value = old + LEARNING * (value - old)

    def or_else(self, default: float) -> float:
        """Give the average, or the default."""
        return default if self.value is None else self.value


@dataclass(frozen=True, slots=True)
class PendingWork:
    """A request as its pace sees it, in tokens; `made` are those it has already."""

    prompt: int
    most: int
    made: int = 0


class WaitEstimator:
    """Learns seconds of a step, seconds of a prefill by size, and tokens of an answer.

    A step's time is what a token took from end to end, so that it holds the prefills of others
    that interrupted it.
    """

    def __init__(self) -> None:
        self._step = Average()
        self._answer = Average()
        self._prefill: dict[int, Average] = {}

    def prefilled(self, prompt: int, seconds: float) -> None:
        """Learn from a first token: how long a prompt of this many tokens took in its slot."""
        self._prefill.setdefault(prompt.bit_length(), Average()).add(seconds)

    def ended(self, tokens: int, seconds: float) -> None:
        """Learn from an answer that ended by itself: its tokens, and the seconds of its decode."""
        self._answer.add(tokens)
        if tokens > 1:
            self._step.add(seconds / (tokens - 1))

    def wait(
        self, running: Iterable[PendingWork], waiting: Iterable[PendingWork], places: int
    ) -> float:
        """Predict the seconds until one who comes after all of these gets a place."""
        ends = [self._left(pending_work) for pending_work in running]
        ends += [0.0] * (places - len(ends))
        heapq.heapify(ends)
        for pending_work in waiting:
            begun = heapq.heappop(ends)
            heapq.heappush(
                ends, begun + self._prefill_of(pending_work.prompt) + self._left(pending_work)
            )
        return ends[0]

    def _left(self, pending_work: PendingWork) -> float:
        usual = self._answer.or_else(pending_work.most)
        tokens = min(
            pending_work.most - pending_work.made,
            max(usual - pending_work.made, usual * LEAST_LEFT),
        )
        return max(0.0, tokens) * self._step.or_else(0.0)

    def _prefill_of(self, prompt: int) -> float:
        """Give the average of the nearest size that was seen."""
        size = prompt.bit_length()
        nearest = min(self._prefill, key=lambda seen: abs(seen - size), default=None)
        return 0.0 if nearest is None else self._prefill[nearest].or_else(0.0)

"""`Replica`: the scheduler of the simulated engine without its clock, an event at a time."""

from bisect import bisect_right
from collections import deque
from heapq import heappop, heappush
from math import ceil
from typing import NamedTuple

from engine import Simulated


class Finished(NamedTuple):
    """A finished request: the times of arrival, first token and last in seconds, and its tokens."""

    arrived: float
    first: float
    last: float
    tokens: int


class Replica:
    """One engine: prefill takes one prompt at a time and pre-empts decode.

    Its time advances when it is asked to. Between two events every decode step takes the same time,
    so that many steps are one multiplication.
    """

    __slots__ = (
        "_buckets", "_decode", "_prefills", "_running", "_slots", "_steps", "_waiting", "clock",
        "finished",
    )  # fmt: skip

    def __init__(self, device: Simulated, *, slots: int, max_model_len: int) -> None:
        self._slots = slots
        self._decode = device.decode_seconds(slots)
        self._buckets = device.buckets(max_model_len)
        # A prompt that fills a bucket runs in the next one, hence one token less.
        self._prefills = [device.prefill_seconds(size - 1, self._buckets) for size in self._buckets]
        self._waiting: deque[tuple[float, int, int]] = deque()
        # By the step with which each ends: (step, arrived, first, tokens).
        self._running: list[tuple[int, float, float, int]] = []
        self._steps = 0
        self.clock = 0.0  # when the last event that began ends
        self.finished: list[Finished] = []  # the reader clears it

    @property
    def open(self) -> int:
        """The requests that wait or run."""
        return len(self._waiting) + len(self._running)

    def add(self, at: float, prompt: int, output: int) -> None:
        """Add a request at a time no earlier than the last `advance`; lengths are in tokens."""
        if not self._waiting and not self._running:
            self.clock = max(self.clock, at)
        self._waiting.append((at, prompt, output))

    def advance(self, until: float) -> None:
        """Run every event that begins before `until`; it may end later."""
        while self.clock < until:
            if self._waiting and len(self._running) < self._slots:
                self._prefill()
            elif self._running:
                self._step(until)
            else:
                return

    def event(self) -> bool:
        """Run one event, whenever it begins; return False where there is none."""
        if self._waiting and len(self._running) < self._slots:
            self._prefill()
        elif self._running:
            self._step(float("inf"))
        else:
            return False
        return True

    def _prefill(self) -> None:
        arrived, prompt, output = self._waiting.popleft()
        bucket = bisect_right(self._buckets, prompt)
        seconds = self._prefills[min(bucket, len(self._prefills) - 1)]
        self.clock += seconds
        if output == 1:
            self.finished.append(Finished(arrived, self.clock, self.clock, 1))
        else:
            entry = (self._steps + output - 1, arrived, self.clock, output)
            heappush(self._running, entry)

    def _step(self, until: float) -> None:
        """Decode until a sequence ends or `until` is reached, whichever is first."""
        steps = self._running[0][0] - self._steps
        if (steps - 1) * self._decode + self.clock >= until:
            steps = max(1, ceil((until - self.clock) / self._decode))
        seconds = steps * self._decode
        self._steps += steps
        self.clock += seconds
        running = self._running
        while running and running[0][0] <= self._steps:
            _, arrived, first, tokens = heappop(running)
            self.finished.append(Finished(arrived, first, self.clock, tokens))

"""`Replica`: the simulated engine's law without its clock, an event at a time."""

from bisect import bisect_right
from collections import deque
from heapq import heappop, heappush
from math import ceil
from typing import NamedTuple

from engine.simulated.device import Simulated


class Done(NamedTuple):
    """A finished request: seconds of its arrival, first token and last, and its tokens."""

    arrived: float
    first: float
    last: float
    tokens: int


class Replica:
    """One engine: prefill takes one prompt at a time and pre-empts decode.

    It is moved on only when somebody looks: between two events every decode step takes the same
    time, so that many are one multiplication.
    """

    __slots__ = (
        "_buckets", "_decode", "_prefills", "_running", "_slots", "_steps", "_waiting", "clock",
        "done",
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
        self.clock = 0.0  # when the event ends that was begun last
        self.done: list[Done] = []  # whoever looks takes them out

    @property
    def open(self) -> int:
        """Count what waits and runs."""
        return len(self._waiting) + len(self._running)

    def add(self, at: float, prompt: int, output: int) -> None:
        """Let a request arrive, no earlier than whatever `advance` was told last."""
        if not self._waiting and not self._running:
            self.clock = max(self.clock, at)
        self._waiting.append((at, prompt, output))

    def advance(self, until: float) -> None:
        """Begin every event whose time is before `until`; what has begun ends, even after it."""
        while self.clock < until:
            if self._waiting and len(self._running) < self._slots:
                self._prefill()
            elif self._running:
                self._step(until)
            else:
                return

    def event(self) -> bool:
        """Do one event, whenever it is; False where there is nothing to do."""
        if self._waiting and len(self._running) < self._slots:
            self._prefill()
        elif self._running:
            self._step(float("inf"))
        else:
            return False
        return True

    def _prefill(self) -> None:
        arrived, prompt, output = self._waiting.popleft()
        place = bisect_right(self._buckets, prompt)
        seconds = self._prefills[min(place, len(self._prefills) - 1)]
        self.clock += seconds
        if output == 1:
            self.done.append(Done(arrived, self.clock, self.clock, 1))
        else:
            entry = (self._steps + output - 1, arrived, self.clock, output)
            heappush(self._running, entry)

    def _step(self, until: float) -> None:
        """Decode until a sequence ends or `until` has come, whichever is first."""
        steps = self._running[0][0] - self._steps
        if (steps - 1) * self._decode + self.clock >= until:
            steps = max(1, ceil((until - self.clock) / self._decode))
        seconds = steps * self._decode
        self._steps += steps
        self.clock += seconds
        running = self._running
        while running and running[0][0] <= self._steps:
            _, arrived, first, tokens = heappop(running)
            self.done.append(Done(arrived, first, self.clock, tokens))

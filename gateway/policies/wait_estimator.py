"""`WaitEstimator`: learns how fast an engine serves, and predicts the wait for a slot."""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

LEARNING_RATE: Final = 0.2  # the weight of the newest request in an average
LEAST_REMAINING: Final = 0.25  # of an average answer: what a longer one is expected to have left


@dataclass(slots=True)
class MovingAverage:
    """An exponential moving average; None until a value was added."""

    value: float | None = None

    def add(self, value: float) -> None:
        """Add a value."""
        old = value if self.value is None else self.value
        self.value = old + LEARNING_RATE * (value - old)

    def get(self, default: float) -> float:
        """Return the average, or the default before the first value."""
        return default if self.value is None else self.value


@dataclass(slots=True)
class PendingWork:
    """A request by its tokens: those of its prompt, the most of its answer, those it has."""

    prompt_tokens: int
    max_tokens: int
    generated_tokens: int = 0


class WaitEstimator:
    """Learns the seconds of a step, the seconds of a prefill by size, and the tokens of an answer.

    The seconds of a step are those of a token from end to end, so that they include the prefills
    of other requests which interrupted it.
    """

    def __init__(self) -> None:
        self._step_seconds = MovingAverage()
        self._answer_tokens = MovingAverage()
        self._prefill_seconds: dict[int, MovingAverage] = {}  # by the prompt's bit length

    def record_prefill(self, prompt_tokens: int, seconds: float) -> None:
        """Learn from a first token: the seconds from its slot to it, by the size of its prompt."""
        self._prefill_seconds.setdefault(prompt_tokens.bit_length(), MovingAverage()).add(seconds)

    def record_answer(self, tokens: int, decode_seconds: float) -> None:
        """Learn from a completion that ended by itself."""
        self._answer_tokens.add(tokens)
        if tokens > 1:
            self._step_seconds.add(decode_seconds / (tokens - 1))

    def estimate_wait(
        self, running: Iterable[PendingWork], queued: Iterable[PendingWork], slots: int
    ) -> float:
        """Return the seconds until a request that comes after all of these gets a slot.

        The queue is played through: each queued request takes the slot that is free first.
        """
        ends = [self._decode_seconds(work) for work in running]
        ends += [0.0] * (slots - len(ends))
        heapq.heapify(ends)
        for work in queued:
            start = heapq.heappop(ends)
            seconds = self._estimate_prefill(work.prompt_tokens) + self._decode_seconds(work)
            heapq.heappush(ends, start + seconds)
        return ends[0]

    def _decode_seconds(self, work: PendingWork) -> float:
        usual = self._answer_tokens.get(work.max_tokens)
        remaining = max(usual - work.generated_tokens, usual * LEAST_REMAINING)
        tokens = max(0.0, min(work.max_tokens - work.generated_tokens, remaining))
        return tokens * self._step_seconds.get(0.0)

    def _estimate_prefill(self, prompt_tokens: int) -> float:
        """Return the average of the nearest size that was seen."""
        size = prompt_tokens.bit_length()
        nearest = min(self._prefill_seconds, key=lambda seen: abs(seen - size), default=None)
        return 0.0 if nearest is None else self._prefill_seconds[nearest].get(0.0)

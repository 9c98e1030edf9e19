"""`Histogram`: quantiles of millions of times in a few kilobytes."""

from math import exp, log
from typing import Final

# Buckets grow by 1 % each, from a tenth of a millisecond up, so a quantile is within 0.5 %.
GROWTH: Final = 1.01
LEAST: Final = 1e-4
_SCALE: Final = 1 / log(GROWTH)
_BUCKETS: Final = 2400  # the last begins at about 2 million seconds


class Histogram:
    """Counts of times in seconds, in buckets of equal ratio."""

    def __init__(self) -> None:
        self._counts = [0] * _BUCKETS
        self._total = 0.0
        self.count = 0

    def add(self, seconds: float) -> None:
        """Count one time."""
        place = int(log(seconds / LEAST) * _SCALE) if seconds > LEAST else 0
        self._counts[place if place < _BUCKETS else -1] += 1
        self._total += seconds
        self.count += 1

    @property
    def mean(self) -> float:
        """Give the mean in seconds; 0 of nothing."""
        return self._total / self.count if self.count else 0.0

    def quantile(self, share: float) -> float:
        """Give the time in seconds below which this share lies; 0 of nothing."""
        left = share * self.count
        for place, count in enumerate(self._counts):
            left -= count
            if left <= 0 and count:
                return LEAST * exp((place + 0.5) / _SCALE)
        return 0.0

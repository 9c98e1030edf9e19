"""`Histogram`: quantiles of millions of durations in a few kilobytes."""

from math import exp, log
from typing import Final

# Each bucket is 1 % wider than the last, from 0.1 ms on, so that a quantile is within 0.5 %.
GROWTH: Final = 1.01
LEAST: Final = 1e-4
_SCALE: Final = 1 / log(GROWTH)
_BUCKETS: Final = 2400  # the last begins at about 2 million seconds


class Histogram:
    """Durations in seconds, counted in buckets of equal ratio."""

    def __init__(self) -> None:
        self._counts = [0] * _BUCKETS
        self._total = 0.0
        self.count = 0

    def add(self, seconds: float) -> None:
        """Count one duration."""
        bucket = int(log(seconds / LEAST) * _SCALE) if seconds > LEAST else 0
        self._counts[min(bucket, _BUCKETS - 1)] += 1
        self._total += seconds
        self.count += 1

    @property
    def mean(self) -> float:
        """The mean in seconds; 0 without durations."""
        return self._total / self.count if self.count else 0.0

    def quantile(self, share: float) -> float:
        """Return the seconds below which a share of the durations is; 0 without durations."""
        left = share * self.count
        for bucket, count in enumerate(self._counts):
            left -= count
            if left <= 0 and count:
                return LEAST * exp((bucket + 0.5) / _SCALE)
        return 0.0

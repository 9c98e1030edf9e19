"""Compiled lengths: their defaults, and what padding to them costs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

FIRST_CONTEXT: Final = 256
FIRST_GENERATION: Final = 1024


def powers(first: int, last: int) -> tuple[int, ...]:
    """Give the powers of two from `first` up to `last`, which is always the last one."""
    found = []
    size = first
    while size < last:
        found.append(size)
        size *= 2
    return (*found, last)


def problem(buckets: Sequence[int], last: int, what: str) -> str | None:
    """Say what is wrong with a list that must ascend to `last`; None where nothing is."""
    if list(buckets) != sorted(set(buckets)) or any(size < 1 for size in buckets):
        return f"must be positive and ascend, e.g. {list(powers(FIRST_CONTEXT, last))}"
    if not buckets or buckets[-1] != last:
        return (
            f"must end at {what}, {last}: a longer sequence would kill the engine. "
            f"Make {last} the last one"
        )
    return None


def bucket_of(length: int, buckets: Sequence[int]) -> int:
    """Give the bucket that a length runs in.

    The runtime takes the first one that is strictly greater; only the last may be filled.
    """
    return next((size for size in buckets if size > length), buckets[-1])


@dataclass(frozen=True, slots=True)
class Use:
    """How many of the given prompts run in a bucket, and the share of it that is padding."""

    bucket: int
    prompts: int
    waste: float


def uses(lengths: Iterable[int], buckets: Sequence[int]) -> list[Use]:
    """Sort prompts into buckets; each has its padding, the sum of which is `waste`."""
    found: dict[int, list[int]] = {size: [] for size in buckets}
    for length in lengths:
        found[bucket_of(length, buckets)].append(length)
    return [Use(size, len(some), _waste(some, size)) for size, some in found.items()]


def _waste(lengths: Sequence[int], bucket: int) -> float:
    return 1 - sum(lengths) / (bucket * len(lengths)) if lengths else 0.0


def waste(lengths: Sequence[int], buckets: Sequence[int]) -> float:
    """Give the share of all prefilled positions that is padding."""
    padded = sum(bucket_of(length, buckets) for length in lengths)
    return 1 - sum(lengths) / padded if padded else 0.0

"""Buckets, the compiled lengths: their defaults, and the padding that they cost."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

FIRST_CONTEXT: Final = 256
FIRST_GENERATION: Final = 1024


def powers_of_two(first: int, last: int) -> tuple[int, ...]:
    """Return `first`, doubled as long as it is below `last`, and `last` at the end."""
    sizes = []
    size = first
    while size < last:
        sizes.append(size)
        size *= 2
    return (*sizes, last)


def bucket_problem(buckets: Sequence[int], last: int, what: str) -> str | None:
    """Return what is wrong with buckets that must ascend to `last`, None where nothing is."""
    if list(buckets) != sorted(set(buckets)) or any(size < 1 for size in buckets):
        return f"must be positive and ascend, e.g. {list(powers_of_two(FIRST_CONTEXT, last))}"
    if not buckets or buckets[-1] != last:
        return (
            f"must end at {what}, {last}: a longer sequence would kill the engine. "
            f"Make {last} the last one"
        )
    return None


def bucket_of(length: int, buckets: Sequence[int]) -> int:
    """Return the bucket in which the runtime runs a length.

    It is the first that is strictly greater; only the last can be filled.
    """
    return next((size for size in buckets if size > length), buckets[-1])


@dataclass(frozen=True, slots=True)
class BucketUse:
    """The number of prompts that run in a bucket, and the share of their positions that pad."""

    bucket: int
    prompts: int
    padding: float


def sort_into_buckets(lengths: Iterable[int], buckets: Sequence[int]) -> list[BucketUse]:
    """Return how prompts of these lengths, in tokens, use each bucket."""
    by_bucket: dict[int, list[int]] = {size: [] for size in buckets}
    for length in lengths:
        by_bucket[bucket_of(length, buckets)].append(length)
    return [
        BucketUse(size, len(some), padding_share(some, (size,))) for size, some in by_bucket.items()
    ]


def padding_share(lengths: Sequence[int], buckets: Sequence[int]) -> float:
    """Return the share of all prefilled positions that is padding; 0 without prompts."""
    padded = sum(bucket_of(length, buckets) for length in lengths)
    return 1 - sum(lengths) / padded if padded else 0.0

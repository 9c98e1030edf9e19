"""Buckets, the compiled lengths: their defaults, and the padding that they cost."""

from collections.abc import Sequence
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


def padding_share(lengths: Sequence[int], buckets: Sequence[int]) -> float:
    """Return the share of all prefilled positions that is padding; 0 without prompts."""
    padded = sum(bucket_of(length, buckets) for length in lengths)
    return 1 - sum(lengths) / padded if padded else 0.0

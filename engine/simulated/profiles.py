"""Latencies of inf2 as others published them for Llama 3 8B, and the lines fitted to them.

A decode step of the compiled batch takes `base + slots * slope`, a prefill `base + bucket * slope`,
both in milliseconds. Lines are fitted to a part of the points by least squares; the others are
held out to test the fit. `table()` shows both.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

ProfileName = Literal["inf2-tp8", "inf2-tp24", "inf2-tp2", "inf2-tp4", "inf2-tp1"]


@dataclass(frozen=True, slots=True)
class Point:
    """One published figure: `size` is slots of a decode step, or tokens of a prefill's bucket.

    `fitted` is whether the line is fitted to it. A prefill's time is that of `prompts`, one after
    the other.
    """

    size: int
    milliseconds: float
    fitted: bool
    prompts: int = 1


@dataclass(frozen=True, slots=True)
class Line:
    """`base + size * slope`, in milliseconds."""

    base: float
    slope: float

    def at(self, size: float) -> float:
        """Return the milliseconds for a size."""
        return self.base + self.slope * size


@dataclass(frozen=True, slots=True)
class Profile:
    """The latencies of one compiled model on a number of NeuronCores.

    `limits` is a sentence on what was not published. Where a profile is `interpolated` nothing was:
    its points are computed from those of other degrees.
    """

    name: ProfileName
    cores: int
    source: str
    decode_points: tuple[Point, ...]
    prefill_points: tuple[Point, ...]
    limits: str = ""
    interpolated: bool = False

    @property
    def decode(self) -> Line:
        """The line of decode steps, by slots."""
        return fit(point for point in self.decode_points if point.fitted)

    @property
    def prefill(self) -> Line:
        """The line of prefills, by tokens of the bucket."""
        return fit(point for point in self.prefill_points if point.fitted)


def fit(points: Iterable[Point]) -> Line:
    """Return the line of least squares; of one point alone, that through it and the origin."""
    known = list(points)
    if len(known) == 1:
        return Line(0.0, known[0].milliseconds / known[0].size)
    sizes, times = [p.size for p in known], [p.milliseconds for p in known]
    middle, mean = sum(sizes) / len(known), sum(times) / len(known)
    spread = sum((size - middle) ** 2 for size in sizes)
    both = zip(sizes, times, strict=True)
    slope = sum((size - middle) * (time - mean) for size, time in both) / spread
    return Line(mean - slope * middle, slope)


def _steps(fitted: dict[int, float], tested: dict[int, float]) -> tuple[Point, ...]:
    """Return points of decode steps, in milliseconds by slots."""
    return tuple(
        Point(size, time, kind)
        for kind, points in ((True, fitted), (False, tested))
        for size, time in points.items()
    )


PROFILES: Final = {
    profile.name: profile
    for profile in (
        Profile(
            "inf2-tp8", 8,
            "Hugging Face, July 2025: Llama 3.1 8B bf16, length 4096, SDK 2.24, inf2.48xlarge",
            _steps({1: 10, 8: 14, 32: 25}, {4: 11, 16: 20, 48: 31}),
            # Times to first token of whole batches, each prompt in the one graph of 4,096 tokens.
            (
                Point(4096, 300, fitted=True), Point(4096, 1200, False, prompts=4),
                Point(4096, 4700, False, prompts=16), Point(4096, 14000, False, prompts=48),
            ),
        ),
        Profile(
            "inf2-tp24", 24,
            "AWS, Transformers-NeuronX, SDK 2.18: Llama 3 8B, length 4096, int8 weights",
            _steps({1: 6.42, 8: 10.45}, {}),
            (
                Point(128, 25.0, fitted=True), Point(2048, 101.8, fitted=True),
                Point(4096, 209.4, False), Point(2048, 823.5, False, prompts=8),
            ),
            "published for 1 and 8 slots alone: nothing tests its decode",
        ),
        Profile(
            "inf2-tp2", 2,
            "Hugging Face, August 2026: Llama 3.1 8B bf16, length 4096, vLLM 0.16, SDK 2.31, 4 "
            "slots; ai-on-eks: Llama 3 8B, vLLM 0.5, inf2.8xlarge, 10 slots",
            _steps({4: 50.67, 10: 53.5}, {}),
            (Point(4096, 1057.7, fitted=True),),
            "two counts of slots with software two years apart: nothing tests its line",
        ),
        Profile(
            "inf2-tp4", 4,
            "the geometric mean of degrees 2 and 8",
            _steps({1: 22.5, 10: 27.9}, {}),
            (Point(4096, 563, fitted=True),),
            "interpolated: nothing was published for this degree",
            interpolated=True,
        ),
        Profile(
            "inf2-tp1", 1,
            "twice the times of degree 2",
            _steps({4: 101.3, 10: 107.0}, {}),
            (Point(4096, 2115.4, fitted=True),),
            "extrapolated: nothing was published for this degree, on whose one core no 8B model "
            "in bfloat16 fits",
            interpolated=True,
        ),
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """A published figure and the line's, in milliseconds."""

    profile: str
    what: str
    point: Point
    simulated: float

    @property
    def error(self) -> float:
        """The line's deviation, as a share of what was published."""
        return self.simulated / self.point.milliseconds - 1


def table(profiles: Iterable[Profile] = PROFILES.values()) -> list[Row]:
    """Return every published figure with the line's."""
    return [
        Row(profile.name, what, point, point.prompts * line.at(point.size))
        for profile in profiles
        if not profile.interpolated
        for what, line, points in _lines(profile)
        for point in points
    ]


def _lines(profile: Profile) -> Sequence[tuple[str, Line, tuple[Point, ...]]]:
    return (
        ("decode step", profile.decode, profile.decode_points),
        ("prefill", profile.prefill, profile.prefill_points),
    )

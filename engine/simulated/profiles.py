"""Latencies of inf2 as others published them for Llama 3, and the lines fitted to them.

A decode step of the compiled batch takes `base + slots * slope`, a prefill `base + bucket * slope`,
both in milliseconds. Lines are fitted to a part of the points by least squares; the others are
held out to test the fit. The points and their sources are in `profiles.yaml`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import linear_regression
from typing import Final, Literal

from engine.data import read_data

ProfileName = Literal["inf2-tp8", "inf2-tp24", "inf2-tp24-70b", "inf2-tp2", "inf2-tp4", "inf2-tp1"]


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

    `model` is a known name with the sizes of that model. `limits` is a sentence on what was not
    published. Where a profile is `interpolated` nothing was: its points are computed from those of
    other degrees.
    """

    cores: int
    source: str
    decode_points: tuple[Point, ...]
    prefill_points: tuple[Point, ...]
    model: str = "meta-llama/Meta-Llama-3-8B-Instruct"
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
    slope, base = linear_regression([p.size for p in known], [p.milliseconds for p in known])
    return Line(base, slope)


PROFILES: Final = read_data("simulated/profiles.yaml", dict[ProfileName, Profile])

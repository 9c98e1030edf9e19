"""Measurements of a run, and statistics over several runs."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from math import floor
from statistics import median
from typing import Any, Final

OUTSIDE_ENGINE: Final = "CPU s per 1,000 tokens outside the engine"
ABOVE_IDLE: Final = "CPU s per 1,000 tokens above idle"
CLIENT: Final = "client CPU, cores"


def quantile(values: Iterable[float], share: float) -> float:
    """Return the quantile of a share from 0 to 1, by linear interpolation."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("a quantile of nothing")
    position = share * (len(ordered) - 1)
    low = floor(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)


@dataclass(frozen=True, slots=True)
class Quantiles:
    """The 50th, 90th and 99th percentile, in milliseconds."""

    p50: float
    p90: float
    p99: float

    @classmethod
    def of(cls, seconds: Iterable[float]) -> "Quantiles":
        """Return the percentiles of times in seconds."""
        values = list(seconds)
        return cls(*(1000 * quantile(values, share) for share in (0.5, 0.9, 0.99)))


@dataclass(frozen=True, slots=True)
class Timings:
    """All requests of one run, as the client measured them, and the CPU that it used, in cores.

    `ttft` ends with the first frame, `tpot` is (last - first) / (tokens - 1), `e2e` ends with the
    last token. `frames` is None if the client does not count them.
    """

    requests: int
    tokens: int
    seconds: float
    ttft: Quantiles
    tpot: Quantiles
    e2e: Quantiles
    client_cores: float
    frames: int | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds of a server's processes, those outside its engine, memory in MiB."""

    cpu: float
    outside: float
    memory: float

    def since(self, before: "Usage") -> "Usage":
        """Return the CPU used since then, with the memory of now."""
        return Usage(self.cpu - before.cpu, self.outside - before.outside, self.memory)


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a workload against one server."""

    server: str
    workload: str
    number: int
    timings: Timings
    usage: Usage
    idle_cores: float = 0.0  # CPU outside the engine without any request

    def figures(self) -> dict[str, float]:
        """Return every figure by its name in reports."""
        timings, thousand = self.timings, self.timings.tokens / 1000
        figures = {
            "requests/s": timings.requests / timings.seconds,
            "tokens/s": timings.tokens / timings.seconds,
            "server CPU s per 1,000 tokens": self.usage.cpu / thousand,
            OUTSIDE_ENGINE: self.usage.outside / thousand,
            ABOVE_IDLE: (self.usage.outside - self.idle_cores * timings.seconds) / thousand,
            "memory, MiB": self.usage.memory,
            CLIENT: timings.client_cores,
        }
        for name in ("ttft", "tpot", "e2e"):
            for percentile, value in asdict(getattr(timings, name)).items():
                figures[f"{name.upper()} {percentile}, ms"] = value
        if timings.frames is not None:
            figures["chunks/s"] = timings.frames / timings.seconds
        return figures


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of several values, with their minimum and maximum."""

    median: float
    minimum: float
    maximum: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Return the spread of one value or more."""
        return cls(median(values), min(values), max(values))

    def __format__(self, digits: str) -> str:
        """Return `median (minimum to maximum)`, each in a format such as `.1f`."""
        values = (self.median, self.minimum, self.maximum)
        return "{} ({} to {})".format(*(format(value, digits) for value in values))


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Return the ratios of the runs of each round."""
    return Spread.of([a / b for a, b in zip(ours, theirs, strict=True)])


def as_json(run: Run) -> dict[str, Any]:
    """Return a run for a report's JSON."""
    named = {"server": run.server, "workload": run.workload, "run": run.number}
    return named | {name: round(value, 4) for name, value in run.figures().items()}

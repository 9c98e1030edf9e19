"""What a run of a workload measured, and how many runs are told as one."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from math import floor
from statistics import median
from typing import Any


def quantile(values: Iterable[float], share: float) -> float:
    """Give the value below which a share of all lies, by linear interpolation between two."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("a quantile of nothing")
    place = share * (len(ordered) - 1)
    low = floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


@dataclass(frozen=True, slots=True)
class Quantiles:
    """The 50th, 90th and 99th percentile, in milliseconds."""

    p50: float
    p90: float
    p99: float

    @classmethod
    def of(cls, seconds: Iterable[float]) -> "Quantiles":
        """Take them of times in seconds."""
        values = list(seconds)
        return cls(*(1000 * quantile(values, share) for share in (0.5, 0.9, 0.99)))


@dataclass(frozen=True, slots=True)
class Timings:
    """What the client saw: all requests of one run, and its own share of a core.

    `ttft` ends with the first frame, `tpot` is (last - first) / (tokens - 1), `e2e` ends with the
    last token. `frames` is None where the client does not count them.
    """

    requests: int
    tokens: int
    seconds: float
    ttft: Quantiles
    tpot: Quantiles
    e2e: Quantiles
    client: float
    frames: int | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Of a server's processes: CPU seconds, those outside its engine, resident memory in MiB."""

    cpu: float
    outside: float
    memory: float

    def since(self, before: "Usage") -> "Usage":
        """Give what was used since then; memory is that of now."""
        return Usage(self.cpu - before.cpu, self.outside - before.outside, self.memory)


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a workload against one server."""

    server: str
    workload: str
    number: int
    timings: Timings
    usage: Usage
    idle: float = 0.0  # CPU seconds a second outside the engine while nobody asks

    def figures(self) -> dict[str, float]:
        """Give every figure by its name, as reports have it."""
        seen, thousand = self.timings, self.timings.tokens / 1000
        found = {
            "requests/s": seen.requests / seen.seconds,
            "tokens/s": seen.tokens / seen.seconds,
            "server CPU s per 1,000 tokens": self.usage.cpu / thousand,
            "of it outside the engine": self.usage.outside / thousand,
            "of it for the load": (self.usage.outside - self.idle * seen.seconds) / thousand,
            "memory, MiB": self.usage.memory,
            "client, of a core": seen.client,
        }
        for name in ("ttft", "tpot", "e2e"):
            for place, value in asdict(getattr(seen, name)).items():
                found[f"{name.upper() if name != 'e2e' else 'E2E'} {place}, ms"] = value
        if seen.frames is not None:
            found["chunks/s"] = seen.frames / seen.seconds
        return found


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of several runs with the least and the most of them."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Take it of one value or more."""
        return cls(median(values), min(values), max(values))

    def __format__(self, digits: str) -> str:
        """Write `median (least to most)` with a format for each, such as `.1f`."""
        middle, least, most = (format(v, digits) for v in (self.median, self.least, self.most))
        return f"{middle} ({least} to {most})"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Compare runs pair by pair, as they followed each other."""
    return Spread.of([a / b for a, b in zip(ours, theirs, strict=True)])


def as_json(run: Run) -> dict[str, Any]:
    """Write a run for a report's JSON."""
    named = {"server": run.server, "workload": run.workload, "run": run.number}
    return named | {name: round(value, 4) for name, value in run.figures().items()}

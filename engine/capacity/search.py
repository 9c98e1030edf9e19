"""Searches the cheapest fleet that holds a service level, by letting each candidate run."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil, inf
from typing import Final

from engine.capacity.fleet import Outcome, run
from engine.capacity.packing import SLOTS, Packing, replaced, trusted
from engine.capacity.workload import Load

REQUESTS: Final = 20_000  # of a run; each instance gets 20 at least
MOST_INSTANCES: Final = 4096
_PART: Final = re.compile(r"(ttft|tpot|e2e)=(\d+(?:\.\d+)?)(ms|s)")


class PlanError(ValueError):
    """A plan that cannot be made; the message says why and what to change."""


@dataclass(frozen=True, slots=True)
class Slo:
    """The most that a share of all requests may take, in seconds; None is without limit."""

    ttft: float | None = None
    tpot: float | None = None
    e2e: float | None = None
    share: float = 0.95

    @classmethod
    def parse(cls, text: str, percentile: float = 95) -> "Slo":
        """Read `ttft=2s,tpot=80ms`; raises PlanError."""
        limits: dict[str, float] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            found = _PART.fullmatch(part)
            if found is None:
                raise PlanError(
                    f"--slo: {part} is no limit. Write ttft, tpot or e2e with s or ms, such as "
                    "ttft=2s,tpot=80ms."
                )
            name, number, unit = found.groups()
            limits[name] = float(number) / (1000 if unit == "ms" else 1)
        return cls(**limits, share=percentile / 100)

    def held(self, outcome: Outcome) -> bool:
        """Say whether a run holds it."""
        pairs = ((self.ttft, outcome.ttft), (self.tpot, outcome.tpot), (self.e2e, outcome.e2e))
        return all(limit is None or times.quantile(self.share) <= limit for limit, times in pairs)

    def __str__(self) -> str:
        limits = (("TTFT", self.ttft), ("TPOT", self.tpot), ("E2E", self.e2e))
        parts = (f"{name} ≤ {limit:g} s" for name, limit in limits if limit is not None)
        return f"p{100 * self.share:g} of {', '.join(parts)}"


@dataclass(frozen=True, slots=True)
class Choice:
    """A packing with the fewest instances that hold the service level, and how they do."""

    packing: Packing
    instances: int
    outcome: Outcome

    @classmethod
    def of(cls, packing: Packing, load: Load) -> "Choice":
        """Take one instance at its full load."""
        factor = packing.capacity(load) / load.requests_per_second
        return cls(packing, 1, simulate(packing, 1, load, factor))

    @property
    def dollars(self) -> float:
        """Give its price in USD an hour."""
        return self.instances * self.packing.price

    @property
    def dollars_per_million(self) -> float:
        """Give what a million output tokens cost at this load, in USD."""
        return self.dollars / 3600 / self.outcome.tokens_per_second * 1e6


def simulate(packing: Packing, instances: int, load: Load, factor: float) -> Outcome:
    """Let a load, times a factor, come to so many instances."""
    count = max(REQUESTS, 20 * instances * packing.replicas)
    return run(packing.fleet(instances), load.requests(count, factor), count)


def cheapest(
    ways: Sequence[Packing],
    load: Load,
    slo: Slo,
    *,
    fixed: int | None,
    report: Callable[[str], None],
) -> list[Choice]:
    """Find for each way the fewest instances; cheapest first, of equal ones the fastest.

    Each is tried with every usual count of slots, or with the `fixed` one. Those that cost more
    than the best, however few would do, are left out. Raises PlanError if none can.
    """
    found: list[Choice] = []
    tried = _candidates(ways, load, fixed)
    if not tried:
        raise PlanError(f"Nothing fits. {problems(ways)}")
    for packing in tried:
        best = min((choice.dollars for choice in found), default=inf)
        least = _least(packing, load)
        if least * packing.price > best * (1 + 1e-9):
            continue
        report(f"{packing.instance.name}, degree {packing.degree}, {packing.slots} slots")
        choice = fewest(packing, load, slo, least, best)
        if choice is not None:
            found.append(choice)
    if not found:
        raise PlanError(_why_none(tried, load, slo))
    return sorted(found, key=lambda choice: (round(choice.dollars, 4), choice.outcome.tpot.mean))


def _candidates(ways: Sequence[Packing], load: Load, fixed: int | None) -> list[Packing]:
    """Give what fits, those first that could be the cheapest."""
    found = [
        replaced(way, slots)
        for way in trusted(ways)
        for slots in ((fixed,) if fixed else SLOTS)
        if slots <= max(fixed or 1, way.most_slots)
    ]
    return sorted(found, key=lambda packing: _least(packing, load) * packing.price)


def problems(ways: Sequence[Packing]) -> str:
    """Say of each way why it cannot be."""
    return " ".join(f"{way.instance.name}, degree {way.degree}: {way.problem()}." for way in ways)


def _least(packing: Packing, load: Load) -> int:
    """Count the instances without which not even the throughput suffices."""
    return max(1, ceil(load.requests_per_second / packing.capacity(load)))


def fewest(packing: Packing, load: Load, slo: Slo, least: int, best: float = inf) -> Choice | None:
    """Find the fewest instances that hold it and cost no more than `best`; None if none do."""
    if not _alone(packing, load, slo):
        return None
    most = int(min(MOST_INSTANCES, best / packing.price + 1e-9))
    for count in _growing(least, most):
        outcome = simulate(packing, count, load, 1.0)
        if slo.held(outcome):
            return _bisected(packing, load, slo, least, Choice(packing, count, outcome))
    return None


def _alone(packing: Packing, load: Load, slo: Slo) -> bool:
    """Say whether a usual request would hold it if it had an engine to itself."""
    step = packing.step
    first = packing.prefill(load.prompt_tokens.mean)
    whole = first + (load.output_tokens.mean - 1) * step
    pairs = ((slo.ttft, first), (slo.tpot, step), (slo.e2e, whole))
    return all(limit is None or seconds <= limit for limit, seconds in pairs)


def _growing(least: int, most: int) -> Iterator[int]:
    count = least
    while count <= most:
        yield count
        count += max(1, count // 4)


def _bisected(packing: Packing, load: Load, slo: Slo, least: int, held: Choice) -> Choice:
    low = least - 1  # does not hold, or was never allowed to
    while held.instances - low > 1:
        middle = (low + held.instances) // 2
        outcome = simulate(packing, middle, load, 1.0)
        if slo.held(outcome):
            held = Choice(packing, middle, outcome)
        else:
            low = middle
    return held


def _why_none(tried: Sequence[Packing], load: Load, slo: Slo) -> str:
    alone = min(tried, key=lambda one: one.step)
    return (
        f"No fleet of up to {MOST_INSTANCES} instances holds {slo}. The fastest, "
        f"{alone.instance.name} at degree {alone.degree} with {alone.slots} slot"
        f"{'s' * (alone.slots > 1)}, takes {alone.prefill(load.prompt_tokens.mean):.2f} s for a "
        f"prompt and {1000 * alone.step:.1f} ms for a token when nothing else runs. Relax --slo."
    )

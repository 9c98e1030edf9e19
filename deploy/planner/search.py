"""`cheapest`: the search for the cheapest fleet that meets an SLO, by running each candidate."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil, inf
from typing import Final

from deploy.planner.fleet import Outcome, run
from deploy.planner.placement import SLOTS, Placement, trusted, with_slots
from deploy.planner.workload import Load

REQUESTS: Final = 20_000  # of a run; at least 20 for each replica
MOST_INSTANCES: Final = 4096
_PART: Final = re.compile(r"(ttft|tpot|e2e)=(\d+(?:\.\d+)?)(ms|s)")


class PlanError(ValueError):
    """A plan that cannot be made; the message names the option to change."""


@dataclass(frozen=True, slots=True)
class Slo:
    """Limits in seconds for a share of all requests, 0 to 1; None is no limit."""

    ttft: float | None = None
    tpot: float | None = None
    e2e: float | None = None
    share: float = 0.95

    @classmethod
    def parse(cls, text: str, percentile: float = 95) -> "Slo":
        """Return the SLO of a text such as `ttft=2s,tpot=80ms`; raise PlanError."""
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

    def is_met(self, outcome: Outcome) -> bool:
        """Return whether a run is within all limits."""
        pairs = ((self.ttft, outcome.ttft), (self.tpot, outcome.tpot), (self.e2e, outcome.e2e))
        return all(limit is None or times.quantile(self.share) <= limit for limit, times in pairs)

    def __str__(self) -> str:
        limits = (("TTFT", self.ttft), ("TPOT", self.tpot), ("E2E", self.e2e))
        parts = (f"{name} ≤ {limit:g} s" for name, limit in limits if limit is not None)
        return f"p{100 * self.share:g} of {', '.join(parts)}"


@dataclass(frozen=True, slots=True)
class Choice:
    """A placement with a number of instances, and the outcome of a run on them."""

    placement: Placement
    instances: int
    outcome: Outcome

    @classmethod
    def of(cls, placement: Placement, load: Load) -> "Choice":
        """Return one instance at the load that fills it."""
        factor = placement.capacity(load) / load.requests_per_second
        return cls(placement, 1, simulate(placement, 1, load, factor))

    @property
    def dollars(self) -> float:
        """The price in USD per hour."""
        return self.instances * self.placement.price

    @property
    def dollars_per_million(self) -> float:
        """The price of a million output tokens at this load, in USD."""
        return self.dollars / 3600 / self.outcome.tokens_per_second * 1e6


def simulate(placement: Placement, instances: int, load: Load, factor: float) -> Outcome:
    """Return the outcome of a load, times a factor, on a number of instances."""
    count = max(REQUESTS, 20 * instances * placement.replicas)
    return run(placement.fleet(instances), load.requests(count, factor), count)


def cheapest(
    options: Sequence[Placement],
    load: Load,
    slo: Slo,
    *,
    fixed: int | None,
    report: Callable[[str], None],
) -> list[Choice]:
    """Return each option with the fewest instances that meet the SLO, the cheapest first.

    Of equal prices the one with the lowest TPOT is first. Each option is tried with every usual
    count of slots, or with `fixed` ones. Options that must cost more than the best are left out.
    `report` gets the candidate that is tried. Raises PlanError if none meets the SLO.
    """
    found: list[Choice] = []
    tried = _candidates(options, load, fixed)
    if not tried:
        raise PlanError(f"Nothing fits. {problems(options)}")
    for placement in tried:
        best = min((choice.dollars for choice in found), default=inf)
        least = _least(placement, load)
        if least * placement.price > best * (1 + 1e-9):
            continue
        report(f"{placement.instance.name}, degree {placement.degree}, {placement.slots} slots")
        choice = fewest(placement, load, slo, least, best)
        if choice is not None:
            found.append(choice)
    if not found:
        raise PlanError(_why_none(tried, load, slo))
    return sorted(found, key=lambda choice: (round(choice.dollars, 4), choice.outcome.tpot.mean))


def _candidates(options: Sequence[Placement], load: Load, fixed: int | None) -> list[Placement]:
    """Return the placements that fit, first those that could be the cheapest."""
    found = [
        with_slots(option, slots)
        for option in trusted(options)
        for slots in ((fixed,) if fixed else SLOTS)
        if slots <= max(fixed or 1, option.most_slots)
    ]
    return sorted(found, key=lambda placement: _least(placement, load) * placement.price)


def problems(options: Sequence[Placement]) -> str:
    """Return for each option whose cores the instance has why it is not possible."""
    return " ".join(
        f"{option.instance.name}, degree {option.degree}: {option.problem()}."
        for option in [one for one in options if one.replicas] or options
    )


def _least(placement: Placement, load: Load) -> int:
    """Return the instances that the throughput alone needs."""
    return max(1, ceil(load.requests_per_second / placement.capacity(load)))


def fewest(
    placement: Placement, load: Load, slo: Slo, least: int, best: float = inf
) -> Choice | None:
    """Return the fewest instances that meet the SLO for at most `best` USD per hour, or None."""
    if not _meets_when_idle(placement, load, slo):
        return None
    most = int(min(MOST_INSTANCES, best / placement.price + 1e-9))
    for count in _counts(least, most):
        outcome = simulate(placement, count, load, 1.0)
        if slo.is_met(outcome):
            return _bisect(placement, load, slo, least, Choice(placement, count, outcome))
    return None


def _meets_when_idle(placement: Placement, load: Load, slo: Slo) -> bool:
    """Return whether a mean request on an idle engine meets the SLO."""
    step = placement.step
    first = placement.prefill(load.prompt_tokens.mean)
    whole = first + (load.output_tokens.mean - 1) * step
    pairs = ((slo.ttft, first), (slo.tpot, step), (slo.e2e, whole))
    return all(limit is None or seconds <= limit for limit, seconds in pairs)


def _counts(least: int, most: int) -> Iterator[int]:
    """Yield counts of instances, each about a quarter more than the last."""
    count = least
    while count <= most:
        yield count
        count += max(1, count // 4)


def _bisect(placement: Placement, load: Load, slo: Slo, least: int, met: Choice) -> Choice:
    """Return the fewest instances between `least` and those that are known to meet the SLO."""
    low = least - 1  # known, or assumed, not to meet it
    while met.instances - low > 1:
        middle = (low + met.instances) // 2
        outcome = simulate(placement, middle, load, 1.0)
        if slo.is_met(outcome):
            met = Choice(placement, middle, outcome)
        else:
            low = middle
    return met


def _why_none(tried: Sequence[Placement], load: Load, slo: Slo) -> str:
    alone = min(tried, key=lambda one: one.step)
    return (
        f"No fleet of up to {MOST_INSTANCES} instances meets {slo}. The fastest, "
        f"{alone.instance.name} at degree {alone.degree} with {alone.slots} slot"
        f"{'s' * (alone.slots > 1)}, takes {alone.prefill(load.prompt_tokens.mean):.2f} s for a "
        f"prompt and {1000 * alone.step:.1f} ms for a token when nothing else runs. Relax --slo."
    )

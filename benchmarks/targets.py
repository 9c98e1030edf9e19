"""What was aimed at, and whether the runs reach it."""

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.commands import RAY_SERVE_LLM, VLLM
from benchmarks.figures import Spread, ratio
from benchmarks.suite import Comparison


@dataclass(frozen=True, slots=True)
class Target:
    """One aim: the median ratio is to be at least, or at most, `wanted`."""

    what: str
    wanted: float
    seen: Spread
    at_most: bool = False

    @property
    def met(self) -> bool:
        """Whether the median is on the right side."""
        return self.seen.median <= self.wanted if self.at_most else self.seen.median >= self.wanted

    def row(self) -> str:
        """Write it as a row of a Markdown table."""
        sign = "≤" if self.at_most else "≥"
        state = "met" if self.met else "**missed**"
        return f"| {self.what} | {sign} {self.wanted:g} | {self.seen:.2f} | {state} |"

    def as_json(self) -> dict[str, object]:
        """Write it for a report's JSON."""
        return {
            "what": self.what,
            "wanted": self.wanted,
            "at_most": self.at_most,
            "median": round(self.seen.median, 3),
            "met": self.met,
        }


def targets(comparison: Comparison) -> Iterator[Target]:
    """Give the targets of a scenario; those whose peer was left out are left out."""
    for side in comparison.sides[1:]:
        for workload in comparison.scenario.workloads:
            yield from _of(comparison, side, workload.name)


def _of(comparison: Comparison, side: str, workload: str) -> Iterator[Target]:
    key, where = comparison.scenario.key, f"{workload}, by {side}"

    def against(figure: str) -> Spread:
        ours = comparison.figure(comparison.sides[0], workload, figure)
        return ratio(ours, comparison.figure(side, workload, figure))

    if key == "cpu" and side == VLLM:
        yield Target(f"tokens/s, {where}", 1.0, against("tokens/s"))
        yield Target(f"TTFT p50, {where}", 1.05, against("TTFT p50, ms"), at_most=True)
        outside = "of it outside the engine"
        yield Target(f"CPU outside the engine, {where}", 0.5, against(outside), at_most=True)
        above = "of it for the load"
        yield Target(f"the same above idle, {where}", 0.5, against(above), at_most=True)
    elif key == "ceiling" and side.startswith("bare uvicorn, a turn"):
        yield Target(f"chunks/s, {where}", 0.8, against("chunks/s"))
    elif key == "ceiling" and side.startswith(RAY_SERVE_LLM):
        yield Target(f"chunks/s, {where}", 10, against("chunks/s"))
    elif key == "inf2":
        yield Target(f"tokens/s, {where}", 0.98, against("tokens/s"))

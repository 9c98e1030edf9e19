"""The goals of each comparison, and whether the runs reach them."""

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.comparison.figures import ABOVE_IDLE, OUTSIDE_ENGINE, Spread, ratio
from benchmarks.comparison.runner import Comparison
from benchmarks.comparison.server_commands import BARE_PER_ITERATION, RAY_SERVE_LLM, VLLM


@dataclass(frozen=True, slots=True)
class Target:
    """A goal: the median of `measured` is to be at least, or at most, `goal`."""

    what: str
    goal: float
    measured: Spread
    at_most: bool = False

    @property
    def met(self) -> bool:
        """Whether the median reaches the goal."""
        median = self.measured.median
        return median <= self.goal if self.at_most else median >= self.goal

    def row(self) -> str:
        """Return a row of a Markdown table."""
        sign = "≤" if self.at_most else "≥"
        state = "met" if self.met else "**missed**"
        return f"| {self.what} | {sign} {self.goal:g} | {self.measured:.2f} | {state} |"

    def as_json(self) -> dict[str, object]:
        """Return it for a report's JSON."""
        return {
            "what": self.what,
            "goal": self.goal,
            "at_most": self.at_most,
            "median": round(self.measured.median, 3),
            "met": self.met,
        }


def targets(comparison: Comparison) -> Iterator[Target]:
    """Yield the targets of a scenario, without those of absent peers."""
    for system in comparison.systems[1:]:
        for workload in comparison.scenario.workloads:
            yield from _targets(comparison, system, workload.name)


def _targets(comparison: Comparison, system: str, workload: str) -> Iterator[Target]:
    key = comparison.scenario.key

    def target(figure: str, goal: float, *, at_most: bool = False) -> Target:
        ours = comparison.figures(comparison.systems[0], workload, figure)
        ratios = ratio(ours, comparison.figures(system, workload, figure))
        return Target(f"{figure}, {workload}, ours / {system}", goal, ratios, at_most)

    if key == "cpu" and system == VLLM:
        yield target("tokens/s", 1.0)
        yield target("TTFT p50, ms", 1.05, at_most=True)
        yield target(OUTSIDE_ENGINE, 0.5, at_most=True)
        yield target(ABOVE_IDLE, 0.5, at_most=True)
    elif key == "ceiling" and system == BARE_PER_ITERATION:
        yield target("chunks/s", 0.8)
    elif key == "ceiling" and system.startswith(RAY_SERVE_LLM):
        yield target("chunks/s", 10)
    elif key == "inf2":
        yield target("tokens/s", 0.98)

"""Runs comparisons: all sides up at once, their runs in alternation."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from benchmarks.figures import Run
from benchmarks.scenarios import Scenario
from benchmarks.sides import Side
from benchmarks.workloads import Workload

QUIET_SECONDS: Final = 1.5
IDLE_SECONDS: Final = 3
Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A scenario with all its runs, and the names of its sides in order."""

    scenario: Scenario
    sides: tuple[str, ...]
    runs: tuple[Run, ...]

    def figure(self, side: str, workload: str, name: str) -> list[float]:
        """Give a figure of every run of a side with a workload; 0 where it was not counted."""
        return [
            run.figures().get(name, 0.0)
            for run in self.runs
            if run.server == side and run.workload == workload
        ]


def compare(scenario: Scenario, report: Report) -> Comparison:
    """Run a scenario; `report` is told what is being done. Raises ServerFailed."""
    with ExitStack() as stack:
        report(f"{scenario.key}: start the servers")
        sides = []
        for side in scenario.sides(stack):
            sides.append(side)
            report(f"{scenario.key}: {side.name} is ready")
        runs = tuple(_runs(scenario, sides, report))
        report(f"{scenario.key}: stop the servers")
    return Comparison(scenario, tuple(side.name for side in sides), runs)


def _runs(scenario: Scenario, sides: list[Side], report: Report) -> Iterator[Run]:
    report(f"{scenario.key}: warm-up")
    list(_round(scenario, sides, scenario.workloads[0], 0, {}))
    time.sleep(QUIET_SECONDS)
    idle = {side.name: side.idle(IDLE_SECONDS) for side in sides}
    for workload in scenario.workloads:
        for number in range(scenario.runs):
            report(f"{scenario.key}: {workload.name}, run {number + 1} of {scenario.runs}")
            yield from _round(scenario, sides, workload, number, idle)


def _round(
    scenario: Scenario,
    sides: list[Side],
    workload: Workload,
    number: int,
    idle: Mapping[str, float],
) -> Iterator[Run]:
    """Run every side once; who is first changes from round to round.

    Each waits until the one before is quiet: vLLM's workers spin for a second after the last token.
    """
    first = number % len(sides)
    for side in (*sides[first:], *sides[:first]):
        time.sleep(QUIET_SECONDS)
        timings, usage = side.run(scenario.load, workload)
        yield Run(side.name, workload.name, number, timings, usage, idle.get(side.name, 0.0))

"""Runs comparisons: all sides up at once, their runs in alternation."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from benchmarks.figures import Run
from benchmarks.scenarios import Scenario
from benchmarks.sides import Side
from benchmarks.workloads import Workload

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
    list(_round(scenario, sides, scenario.workloads[0], 0))
    for workload in scenario.workloads:
        for number in range(scenario.runs):
            report(f"{scenario.key}: {workload.name}, run {number + 1} of {scenario.runs}")
            yield from _round(scenario, sides, workload, number)


def _round(scenario: Scenario, sides: list[Side], workload: Workload, number: int) -> Iterator[Run]:
    """Run every side once; who is first changes from round to round."""
    first = number % len(sides)
    for side in (*sides[first:], *sides[:first]):
        timings, usage = side.run(scenario.load, workload)
        yield Run(side.name, workload.name, number, timings, usage)

"""Runs a comparison: all systems are up at the same time and run in alternation."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from benchmarks.comparison.figures import Run
from benchmarks.comparison.scenarios import Scenario
from benchmarks.comparison.systems import System
from benchmarks.comparison.workloads import Workload

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A scenario with all its runs, and the names of its systems in order."""

    scenario: Scenario
    systems: tuple[str, ...]
    runs: tuple[Run, ...]

    def figures(self, system: str, workload: str, name: str) -> list[float]:
        """Return one figure of every run of a system with a workload; 0 if it was not measured."""
        return [
            run.figures().get(name, 0.0)
            for run in self.runs
            if run.server == system and run.workload == workload
        ]


def run_comparison(scenario: Scenario, report: Report) -> Comparison:
    """Run a scenario; `report` is called with each step. Raises ServerFailed."""
    with ExitStack() as stack:
        report(f"{scenario.key}: start the servers")
        systems = []
        for system in scenario.systems(stack):
            systems.append(system)
            report(f"{scenario.key}: {system.name} is ready")
        runs = tuple(_runs(scenario, systems, report))
        report(f"{scenario.key}: stop the servers")
    return Comparison(scenario, tuple(system.name for system in systems), runs)


def _runs(scenario: Scenario, systems: list[System], report: Report) -> Iterator[Run]:
    report(f"{scenario.key}: warm-up")
    list(_round(scenario, systems, scenario.workloads[0], 0, {}))
    time.sleep(scenario.quiet_seconds)
    idle_cores = {system.name: system.idle_cores(scenario.idle_seconds) for system in systems}
    for workload in scenario.workloads:
        for number in range(scenario.runs):
            report(f"{scenario.key}: {workload.name}, run {number + 1} of {scenario.runs}")
            yield from _round(scenario, systems, workload, number, idle_cores)


def _round(
    scenario: Scenario,
    systems: list[System],
    workload: Workload,
    number: int,
    idle_cores: Mapping[str, float],
) -> Iterator[Run]:
    """Run every system once, beginning with another one in each round."""
    first = number % len(systems)
    for system in (*systems[first:], *systems[:first]):
        time.sleep(scenario.quiet_seconds)
        timings, usage = system.run(scenario.load, workload)
        idle = idle_cores.get(system.name, 0.0)
        yield Run(system.name, workload.name, number, timings, usage, idle)

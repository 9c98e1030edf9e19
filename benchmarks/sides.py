"""What is compared: a server under a load, or an engine without any server."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from benchmarks.alone import engines_alone
from benchmarks.figures import Timings, Usage
from benchmarks.load import Load
from benchmarks.processes import Command, Process, ServerFailed, running
from benchmarks.workloads import Workload


class Side(Protocol):
    """One column of a comparison."""

    @property
    def name(self) -> str:
        """Its name in reports."""

    def run(self, load: Load, workload: Workload) -> tuple[Timings, Usage]:
        """Run a workload; raises ServerFailed."""

    def idle(self, seconds: float) -> float:
        """Measure the CPU seconds a second, outside the engine, while nobody asks."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    process: Process

    @property
    def model(self) -> str:
        """The model that it is asked for."""
        return self.process.command.model

    @property
    def name(self) -> str:
        """Its name in reports."""
        return self.process.name

    def run(self, load: Load, workload: Workload) -> tuple[Timings, Usage]:
        """Run a workload and take what its processes used meanwhile."""
        self.process.check(f"before {workload.name}")
        before = self.process.usage()
        try:
            timings = load(self.process.url, self.model, workload)
        except (OSError, ServerFailed) as error:
            self.process.check(f"during {workload.name}")  # says more than the client can
            raise ServerFailed(f"{self.name} failed during {workload.name}: {error}") from error
        return timings, self.process.usage().since(before)

    def idle(self, seconds: float) -> float:
        """Measure the CPU seconds a second, outside the engine, while nobody asks."""
        before = self.process.usage()
        time.sleep(seconds)
        return self.process.usage().since(before).outside / seconds


@dataclass(frozen=True, slots=True)
class Alone:
    """Simulated engines in this process: what they yield where nothing is in between."""

    profile: str
    replicas: int
    slots: int
    name: str = "the engines alone"

    def run(self, load: Load, workload: Workload) -> tuple[Timings, Usage]:
        """Run a workload with as many engines as there would be replicas."""
        del load
        return engines_alone(self.profile, self.replicas, self.slots, workload), Usage(0, 0, 0)

    def idle(self, seconds: float) -> float:
        """Use nothing."""
        del seconds
        return 0.0


@contextmanager
def server(command: Command) -> Iterator[Server]:
    """Start a server as a side of a comparison."""
    with running(command) as process:
        yield Server(process)

"""The systems of a comparison: servers under a load, or engines without a server."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from benchmarks.comparison.engines_only import run_engines
from benchmarks.comparison.figures import Timings, Usage
from benchmarks.comparison.load import Load
from benchmarks.comparison.processes import Command, Process, ServerFailed, running
from benchmarks.comparison.workloads import Workload


class System(Protocol):
    """A system under test."""

    @property
    def name(self) -> str:
        """Its name in reports."""

    def run(self, load: Load, workload: Workload) -> tuple[Timings, Usage]:
        """Run a workload. Raises ServerFailed."""

    def idle_cores(self, seconds: float) -> float:
        """Measure the CPU outside the engine without any request, in cores."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    process: Process

    @property
    def model(self) -> str:
        """The model that requests name."""
        return self.process.command.model

    @property
    def name(self) -> str:
        """Its name in reports."""
        return self.process.name

    def run(self, load: Load, workload: Workload) -> tuple[Timings, Usage]:
        """Run a workload; the usage is that of all processes of the server."""
        self.process.check(f"before {workload.name}")
        before = self.process.usage()
        try:
            timings = load(self.process.url, self.model, workload)
        except (OSError, ServerFailed) as error:
            self.process.check(f"during {workload.name}")  # its log says more than the client
            raise ServerFailed(f"{self.name} failed during {workload.name}: {error}") from error
        return timings, self.process.usage().since(before)

    def idle_cores(self, seconds: float) -> float:
        """Measure the CPU outside the engine without any request, in cores."""
        before = self.process.usage()
        time.sleep(seconds)
        return self.process.usage().since(before).outside / seconds


@dataclass(frozen=True, slots=True)
class EnginesOnly:
    """Simulated engines in this process: the throughput without any server."""

    profile: str
    replicas: int
    slots: int
    name: str = "engines without a server"

    def run(self, load: Load, workload: Workload) -> tuple[Timings, Usage]:
        """Run a workload on one engine per replica."""
        del load
        return run_engines(self.profile, self.replicas, self.slots, workload), Usage(0, 0, 0)

    def idle_cores(self, seconds: float) -> float:
        """Return 0."""
        del seconds
        return 0.0


@contextmanager
def server(command: Command) -> Iterator[Server]:
    """Start a server as a system of a comparison."""
    with running(command) as process:
        yield Server(process)

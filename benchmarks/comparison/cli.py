"""`python -m benchmarks compare`: compare this gateway with its peers and write a report."""

import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from benchmarks.comparison.plots import draw
from benchmarks.comparison.processes import ServerFailed
from benchmarks.comparison.report import Report
from benchmarks.comparison.runner import Comparison, run_comparison
from benchmarks.comparison.scenarios import Setup, scenarios
from benchmarks.comparison.server_commands import LITELLM, RAY_SERVE_LLM, ROOT

PEERS: Final = {"litellm": LITELLM, "ray-serve-llm": RAY_SERVE_LLM}
PEERS_FOLDER: Final = ROOT / ".peers"
RESULTS: Final = ROOT / "benchmarks" / "results"
_console: Final = Console(soft_wrap=True)


def compare(
    full: Annotated[bool, typer.Option("--full", help="Run every workload and peer.")] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Run this scenario: cpu, ceiling, inf2, keys. May repeat."),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(help="Exclude this peer: litellm, ray-serve-llm. May repeat."),
    ] = None,
    peers: Annotated[Path, typer.Option(help="Folder of the peers' environments.")] = PEERS_FOLDER,
    results: Annotated[Path, typer.Option(help="Folder of the report.")] = RESULTS,
) -> None:
    """Compare this gateway with vLLM's server, LiteLLM, Ray Serve LLM and bare uvicorn."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # stop the servers
    started_at = time.monotonic()
    excluded = _require_known(without or [], PEERS, "peer")
    setup = Setup(full=full, without=tuple(PEERS[name] for name in excluded), peers=peers)
    known = {scenario.key: scenario for scenario in scenarios(setup)}
    selected = [known[key] for key in _require_known(only or list(known), known, "scenario")]
    try:
        setup.check()
        comparisons = [run_comparison(one, Progress(started_at)) for one in selected]
    except ServerFailed as error:
        _print(f"{error}\nNo report was written: it would be incomplete.")
        raise typer.Exit(1) from None
    report = Report(
        tuple(comparisons),
        f"make bench{'-full' if full else ''}" if not (only or without) else _command(),
        _excluded(setup, [scenario.key for scenario in selected]),
        time.monotonic() - started_at,
    )
    _write(report, comparisons, results, "full" if full else "short")


def _require_known(names: list[str], known: Mapping[str, object], what: str) -> list[str]:
    if unknown := [name for name in names if name not in known]:
        raise typer.BadParameter(f"{unknown[0]} is not a {what}. Use one of {', '.join(known)}.")
    return names


def _excluded(setup: Setup, keys: list[str]) -> dict[str, str]:
    excluded = dict.fromkeys(setup.without, "excluded with --without")
    if not setup.full and setup.has(RAY_SERVE_LLM) and "cpu" in keys:
        real = f"{RAY_SERVE_LLM} with its real engine"
        excluded[real] = "only in `make bench-full`, since it takes 90 s to start"
    return excluded


def _write(report: Report, comparisons: list[Comparison], folder: Path, name: str) -> None:
    files = report.write(folder, name)
    for comparison in comparisons:
        file = folder / f"{name}-{comparison.scenario.key}.png"
        draw(comparison, file)
        files.append(file)
    for target in report.targets():
        _print(target.row())
    _print("\n".join(f"wrote {file}" for file in files))


class Progress:
    """Prints each step with the seconds since the start."""

    def __init__(self, started_at: float) -> None:
        self._started_at = started_at

    def __call__(self, step: str) -> None:
        """Print a step."""
        _print(f"{time.monotonic() - self._started_at:6.0f} s  {step}")


def _command() -> str:
    return f"python -m benchmarks {' '.join(sys.argv[1:])}"


def _print(text: str) -> None:
    _console.print(text, markup=False, highlight=False)

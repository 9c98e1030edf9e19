"""`python -m benchmarks compare`: this gateway beside its peers, and a report of it."""

import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from benchmarks.commands import LITELLM, RAY_SERVE_LLM, ROOT
from benchmarks.plots import draw
from benchmarks.processes import ServerFailed
from benchmarks.report import Report
from benchmarks.scenarios import Setup, scenarios
from benchmarks.suite import Comparison
from benchmarks.suite import compare as run

PEERS: Final = {"litellm": LITELLM, "ray-serve-llm": RAY_SERVE_LLM}
RESULTS: Final = ROOT / "benchmarks" / "results"
_console: Final = Console(soft_wrap=True)


def compare(
    full: Annotated[bool, typer.Option("--full", help="Every workload and peer.")] = False,
    only: Annotated[
        list[str] | None, typer.Option(help="A scenario: cpu, ceiling, inf2, keys. May repeat.")
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option(help="Leave a peer out: litellm, ray-serve-llm.")
    ] = None,
    peers: Annotated[Path, typer.Option(help="Where they are installed.")] = ROOT / ".peers",
    results: Annotated[Path, typer.Option(help="The folder of the report.")] = RESULTS,
) -> None:
    """Compare this gateway with vLLM's server, LiteLLM, Ray Serve LLM and bare uvicorn."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers are ended
    begun = time.monotonic()
    left = _known(without or [], PEERS, "peer")
    setup = Setup(full=full, without=tuple(PEERS[name] for name in left), peers=peers)
    every = {scenario.key: scenario for scenario in scenarios(setup)}
    wanted = [every[key] for key in _known(only or list(every), every, "scenario")]
    try:
        setup.check()
        found = [run(scenario, Progress(begun)) for scenario in wanted]
    except ServerFailed as error:
        _say(f"{error}\nNothing was written: a part of a comparison would look like all of it.")
        raise typer.Exit(1) from None
    report = Report(
        tuple(found),
        f"make bench{'-full' if full else ''}" if not (only or without) else _command(),
        _left_out(setup, [scenario.key for scenario in wanted]),
        time.monotonic() - begun,
    )
    _write(report, found, results, "full" if full else "short")


def _known(names: list[str], every: Mapping[str, object], what: str) -> list[str]:
    if unknown := [name for name in names if name not in every]:
        raise typer.BadParameter(f"{unknown[0]} is no {what}: {', '.join(every)}.")
    return names


def _left_out(setup: Setup, keys: list[str]) -> dict[str, str]:
    found = dict.fromkeys(setup.without, "left out with --without")
    if not setup.full and setup.has(RAY_SERVE_LLM) and "cpu" in keys:
        real = f"{RAY_SERVE_LLM} with its real engine"
        found[real] = "only `make bench-full` runs it, since it takes a minute and a half to start"
    return found


def _write(report: Report, found: list[Comparison], folder: Path, name: str) -> None:
    files = report.write(folder, name)
    for comparison in found:
        file = folder / f"{name}-{comparison.scenario.key}.png"
        draw(comparison, file)
        files.append(file)
    for target in report.judged():
        _say(target.row())
    _say("\n".join(f"wrote {file}" for file in files))


class Progress:
    """Says what is being done, with the time since the beginning."""

    def __init__(self, begun: float) -> None:
        self._begun = begun

    def __call__(self, what: str) -> None:
        """Say it."""
        _say(f"{time.monotonic() - self._begun:6.0f} s  {what}")


def _command() -> str:
    return f"python -m benchmarks {' '.join(sys.argv[1:])}"


def _say(text: str) -> None:
    _console.print(text, markup=False, highlight=False)

"""`python -m benchmarks --help` lists them; all but `compare`, `frames` and `hook` want a URL."""

import asyncio
from typing import Annotated

import typer
from openai import AsyncOpenAI
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.compare import compare
from benchmarks.eye import Relay, delays, opened, web_chat
from benchmarks.figures import quantile
from benchmarks.frames import CASES, measured
from benchmarks.hook import measured as guards
from benchmarks.idle import idle as hold
from benchmarks.load import body
from benchmarks.overload import capacity, offer
from benchmarks.page import sessions
from benchmarks.streams import first_model, spread, stream, tokens_per_second
from benchmarks.workloads import Workload

app = typer.Typer(add_completion=False, no_args_is_help=True)
app.command()(compare)
console = Console()

Url = Annotated[str, typer.Argument(help="base URL, e.g. http://127.0.0.1:8000/v1")]


@app.command()
def batching(url: Url, streams: int = 16, tokens: int = 64, runs: int = 5) -> None:
    """Compare the tokens per second of many streams at once with those of one."""
    asyncio.run(_batching(url, streams, tokens, runs))


@app.command()
def frames(runs: int = 7) -> None:
    """Time the writing of one delta as a frame, beside the SDK's pydantic type, and one parse."""
    table = Table("what", "µs: median (range)")
    for name, times in track(measured(runs), "runs", total=len(CASES), console=console):
        table.add_row(name, spread(times))
    console.print(table)


@app.command()
def hook(runs: int = 7) -> None:
    """Time what the guards of the Neuron plugin add to a step of the engine and to a delta."""
    table = Table("what", "µs: median (range)")
    for name, times in guards(runs):
        table.add_row(name, spread(times))
    console.print(table)


@app.command()
def overload(
    url: Url, without: Url, slots: int = 8, tokens: int = 50, seconds: float = 60,
    deadline: float = 5, loads: str = "0.5,1,1.5,2",
) -> None:  # fmt: skip
    """Compare the goodput of a gateway with that of one WITHOUT admission, by load."""
    shares = [float(load) for load in loads.split(",")]
    asyncio.run(_overload(url, without, slots, tokens, seconds, deadline, shares))


@app.command()
def idle(url: Url, pid: int, streams: int = 1000, tokens: int = 20) -> None:
    """Hold many streams of one token a second; PID is the server's, to see its memory."""
    asyncio.run(_idle(url, pid, streams, tokens))


@app.command()
def page(
    url: Annotated[str, typer.Argument(help="the web chat, e.g. http://127.0.0.1:7860")],
    model: str = "sim", visitors: int = 50,
) -> None:  # fmt: skip
    """Let visitors of the web chat ask at once; give when they see words, and how steadily."""
    seen = asyncio.run(sessions(url, model, visitors))
    table = Table("what", "median (range), ms", "p99, ms")
    gaps = [gap for one in seen for gap in one.gaps]
    for name, times in (("first word", [one.first for one in seen]), ("between updates", gaps)):
        place = f"{1000 * quantile(times, 0.99):.0f}"
        table.add_row(name, spread([1000 * time for time in times], 0), place)
    console.print(table)


@app.command()
def eye(
    url: Annotated[str, typer.Argument(help="the gateway, e.g. http://127.0.0.1:8000")],
    runs: int = 20, chromium: str = "/usr/bin/chromium",
) -> None:  # fmt: skip
    """Give the time from the gateway's first token to its picture in a browser's web chat."""
    relay = Relay(url)
    with relay.running() as between, web_chat(between) as chat, opened(chat, chromium) as page:
        seen = list(track(delays(relay, page, runs), "runs", total=runs, console=console))
    table = Table("what", "median (range), ms", "p90, ms")
    milliseconds = [1000 * one for one in seen]
    table.add_row("first token", spread(milliseconds, 0), f"{quantile(milliseconds, 0.9):.0f}")
    console.print(table)


async def _overload(
    url: str, without: str, slots: int, tokens: int, seconds: float, deadline: float,
    loads: list[float],
) -> None:  # fmt: skip
    async with _client(url) as client:
        request = body(await first_model(client), Workload("", 8, tokens, 1, 1))
    full = await capacity(url, request, slots)
    table = Table("load", "offered/s", "good/s", "refused/s", "late/s", "without: good/s", "")
    for load in track(loads, "loads", console=console):
        both = [offer(side, request, load * full, seconds, deadline) for side in (url, without)]
        ours, theirs = await asyncio.gather(*both)
        figures = (ours.offered, ours.good, ours.refused, ours.late, theirs.good)
        bars = "█" * round(20 * ours.good / full) + "\n" + "░" * round(20 * theirs.good / full)
        table.add_row(f"{load:g}", *(f"{figure:.2f}" for figure in figures), bars)
    table.caption = f"full load is {full:.2f} requests/s; █ with admission, ░ without"
    console.print(table)


async def _idle(url: str, pid: int, streams: int, tokens: int) -> None:
    async with _client(url) as client:
        request = body(await first_model(client), Workload("", 8, tokens, 1, 1))
    seen = await hold(url, request, streams, pid)
    gaps = sorted(seen.gaps)
    table = Table("what", "figure")
    table.add_row("memory for each stream, KiB", f"{seen.kib:.1f}")
    for name, place in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)):
        gap = gaps[min(len(gaps) - 1, int(place * len(gaps)))]
        table.add_row(f"gap between chunks, s, {name}", f"{gap:.3f}")
    table.add_row("client's share of a core", f"{seen.client:.2f}")
    console.print(table)


async def _batching(url: str, streams: int, tokens: int, runs: int) -> None:
    async with _client(url) as client:
        model = await first_model(client)
        await stream(client, model, "Warm up.", tokens)
        one, many = [], []
        for _ in track(range(runs), "runs", console=console):
            one.append(await tokens_per_second(client, model, 1, tokens))
            many.append(await tokens_per_second(client, model, streams, tokens))
    table = Table("streams", "tokens/s: median (range)")
    table.add_row("1", spread(one))
    table.add_row(str(streams), spread(many))
    table.add_row("ratio", spread([b / a for a, b in zip(one, many, strict=True)]))
    console.print(table)


def _client(url: str) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=url, api_key="none", max_retries=0, timeout=120)


if __name__ == "__main__":
    app()

"""`python -m benchmarks --help` lists them; all but `frames` and `hook` want a URL."""

import asyncio
from typing import Annotated

import typer
from openai import AsyncOpenAI
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.chunks import Pace, bare, body, pace
from benchmarks.frames import CASES, measured
from benchmarks.hook import measured as guards
from benchmarks.idle import idle as hold
from benchmarks.overload import capacity, offer
from benchmarks.raw import stream as raw
from benchmarks.streams import first_model, spread, stream, tokens_per_second

app = typer.Typer(add_completion=False, no_args_is_help=True)
console = Console()

Url = Annotated[str, typer.Argument(help="base URL, e.g. http://127.0.0.1:8000/v1")]


@app.command()
def batching(url: Url, streams: int = 16, tokens: int = 64, runs: int = 5) -> None:
    """Compare the tokens per second of many streams at once with those of one."""
    asyncio.run(_batching(url, streams, tokens, runs))


@app.command()
def ttft(url: Url, peer: Url, runs: int = 30, tokens: int = 8) -> None:
    """Compare the time to the first token at concurrency 1 of two servers, in alternation."""
    asyncio.run(_ttft(url, peer, runs, tokens))


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
def chunks(url: Url, streams: int = 32, tokens: int = 256, runs: int = 5) -> None:
    """Compare the chunks per second with those of a bare uvicorn app that sends the same bytes."""
    asyncio.run(_chunks(url, streams, tokens, runs))


@app.command()
def tokens(url: Url, streams: int = 32, tokens: int = 256, runs: int = 5) -> None:
    """Measure tokens per second of many streams, and the time to the first token of one."""
    asyncio.run(_tokens(url, streams, tokens, runs))


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


async def _chunks(url: str, streams: int, tokens: int, runs: int) -> None:
    async with _client(url) as client:
        request = body(await first_model(client), tokens)
    async with bare(url, request, "in-turns") as turns, bare(url, request) as once:
        names = {url: url, turns: "bare, a turn a frame", once: "bare, all frames at once"}
        seen: dict[str, list[Pace]] = {side: [] for side in names}
        for run in track(range(-1, runs), "runs", console=console):
            for side in names:
                found = await pace(side, request, streams)
                if run >= 0:  # the first warms all of them up
                    seen[side].append(found)
    table = Table("server", "chunks/s", "ratio of ours", "client, of a core")
    ours = seen[url]
    for side, paces in seen.items():
        ratios = [a.chunks / b.chunks for a, b in zip(ours, paces, strict=True)]
        chunks, shares = [p.chunks for p in paces], [p.client for p in paces]
        table.add_row(names[side], spread(chunks), spread(ratios, 2), spread(shares, 2))
    console.print(table)


async def _tokens(url: str, streams: int, tokens: int, runs: int) -> None:
    async with _client(url) as client:
        request = body(await first_model(client), tokens)
    rates, firsts, shares = [], [], []
    for _ in track(range(runs), "runs", console=console):
        run = await pace(url, request, streams)
        rates.append(run.tokens(streams * tokens))
        shares.append(run.client)
        firsts += [1000 * (await raw(url, request | {"max_tokens": 8})).ttft for _ in range(10)]
    table = Table("what", "median (range)")
    table.add_row(f"tokens/s, {streams} streams", spread(rates))
    table.add_row("TTFT of one stream, ms", spread(firsts))
    table.add_row("client's share of a core", spread(shares))
    console.print(table)


async def _overload(
    url: str, without: str, slots: int, tokens: int, seconds: float, deadline: float,
    loads: list[float],
) -> None:  # fmt: skip
    async with _client(url) as client:
        request = body(await first_model(client), tokens)
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
        request = body(await first_model(client), tokens)
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


async def _ttft(url: str, peer: str, runs: int, tokens: int) -> None:
    times: dict[str, list[float]] = {url: [], peer: []}
    async with _client(url) as ours, _client(peer) as theirs:
        sides = [(url, ours, await first_model(ours)), (peer, theirs, await first_model(theirs))]
        for run in track(range(-2, runs), "runs", console=console):
            for name, client, model in sides:
                prompt = f"Write a sentence about the number {run}."
                first = (await stream(client, model, prompt, tokens)).ttft
                if run >= 0:  # the first two warm both servers up
                    times[name].append(1000 * first)
    table = Table("server", "TTFT, ms: median (range)")
    for name, values in times.items():
        table.add_row(name, spread(values))
    differences = [a - b for a, b in zip(*times.values(), strict=True)]
    table.add_row("difference", spread(differences))
    console.print(table)


def _client(url: str) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=url, api_key="none", max_retries=0, timeout=120)


if __name__ == "__main__":
    app()

"""`python -m benchmarks`: one command per benchmark."""

import asyncio
from collections.abc import Iterable
from typing import Annotated

import typer
from openai import AsyncOpenAI
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks import frames as frame_costs
from benchmarks import plugin_guards as guard_costs
from benchmarks.batching import first_model, stream, tokens_per_second
from benchmarks.comparison.cli import compare
from benchmarks.comparison.figures import Spread, quantile
from benchmarks.comparison.load import body, raw
from benchmarks.comparison.workloads import Workload
from benchmarks.first_paint import Relay, open_page, paint_delays, web_chat
from benchmarks.overload import capacity, offer
from benchmarks.slow_streams import hold
from benchmarks.web_chat import visit_all

app = typer.Typer(add_completion=False, no_args_is_help=True)
app.command()(compare)
console = Console()
_SHOWN = ("p50", "p99")

Url = Annotated[str, typer.Argument(help="Base URL of the API, as http://127.0.0.1:8000/v1.")]


@app.command()
def batching(url: Url, streams: int = 16, tokens: int = 64, runs: int = 5) -> None:
    """Compare the tokens per second of concurrent streams with those of one stream."""
    asyncio.run(_batching(url, streams, tokens, runs))


@app.command()
def frames(runs: int = 7) -> None:
    """Measure the CPU time of writing one delta as a frame, and of parsing one request."""
    cases = track(frame_costs.measured(runs), "runs", total=len(frame_costs.CASES), console=console)
    _print_spreads("µs: median (range)", cases)


@app.command()
def plugin_guards(runs: int = 7) -> None:
    """Measure the CPU time that the guards of the Neuron plugin add to a step and a delta."""
    _print_spreads("µs: median (range)", guard_costs.measure(runs))


@app.command()
def overload(
    url: Url,
    baseline: Annotated[str, typer.Argument(help="Base URL of a gateway without admission.")],
    slots: int = 8, tokens: int = 50, seconds: float = 60, deadline: float = 5,
    loads: Annotated[str, typer.Option(help="Shares of full load.")] = "0.5,1,1.5,2",
) -> None:  # fmt: skip
    """Compare the goodput of a gateway under overload with that of one without admission."""
    shares = [float(load) for load in loads.split(",")]
    asyncio.run(_overload(url, baseline, slots, tokens, seconds, deadline, shares))


@app.command()
def latency(
    url: Url,
    streams: Annotated[str, typer.Option(help="Numbers of concurrent streams.")] = "1,4,8",
    prompt: int = 1024, tokens: int = 128, requests: int = 4,
) -> None:  # fmt: skip
    """Measure TTFT and TPOT at numbers of streams, with `requests` for each stream in turn."""
    model = asyncio.run(_first_model(url))
    table = Table(
        "streams", "tokens/s", *(f"{n}, ms: {p}" for n in ("TTFT", "TPOT") for p in _SHOWN)
    )
    for count in map(int, streams.split(",")):
        timings = raw(url, model, Workload("", prompt, tokens, count, count * requests))
        times = (getattr(kind, p) for kind in (timings.ttft, timings.tpot) for p in _SHOWN)
        rate = f"{timings.tokens / timings.seconds:.1f}"
        table.add_row(f"{count}", rate, *(f"{time:.1f}" for time in times))
    table.caption = f"prompts of about {prompt} tokens, answers of {tokens}"
    console.print(table)


@app.command()
def slow_streams(
    url: Url,
    pid: Annotated[int, typer.Argument(help="Process id of the server, for its memory.")],
    streams: int = 1000, tokens: int = 20,
) -> None:  # fmt: skip
    """Measure the memory and the chunk intervals of many streams of one token per second."""
    asyncio.run(_slow_streams(url, pid, streams, tokens))


@app.command("web-chat")
def visit_web_chat(
    url: Annotated[str, typer.Argument(help="URL of the web chat, as http://127.0.0.1:7860.")],
    model: str = "sim", visitors: int = 50,
) -> None:  # fmt: skip
    """Measure when concurrent visitors of the web chat see text, and how regularly."""
    visits = asyncio.run(visit_all(url, model, visitors))
    table = Table("what", "ms: median (range)", "ms: p99")
    intervals = [interval for visit in visits for interval in visit.intervals]
    for name, seconds in (
        ("first text", [visit.first_text for visit in visits]),
        ("between updates", intervals),
    ):
        milliseconds = [1000 * value for value in seconds]
        table.add_row(name, f"{Spread.of(milliseconds):.0f}", f"{quantile(milliseconds, 0.99):.0f}")
    console.print(table)


@app.command()
def first_paint(
    url: Annotated[str, typer.Argument(help="URL of a gateway, as http://127.0.0.1:8000.")],
    runs: int = 20, chromium: str = "/usr/bin/chromium",
) -> None:  # fmt: skip
    """Measure the time from the gateway's first token to its paint in a browser's web chat."""
    relay = Relay(url)
    with (
        relay.running() as relay_url,
        web_chat(relay_url) as chat,
        open_page(chat, chromium) as page,
    ):
        delays = track(paint_delays(relay, page, runs), "runs", total=runs, console=console)
        milliseconds = [1000 * delay for delay in delays]
    table = Table("what", "ms: median (range)", "ms: p90")
    spread = f"{Spread.of(milliseconds):.0f}"
    table.add_row("first token", spread, f"{quantile(milliseconds, 0.9):.0f}")
    console.print(table)


async def _first_model(url: str) -> str:
    async with _client(url) as client:
        return await first_model(client)


async def _overload(
    url: str, baseline: str, slots: int, tokens: int, seconds: float, deadline: float,
    loads: list[float],
) -> None:  # fmt: skip
    async with _client(url) as client:
        request = body(await first_model(client), Workload("", 8, tokens, 1, 1))
    full = await capacity(url, request, slots)
    table = Table("load", "offered/s", "good/s", "rejected/s", "late/s", "baseline: good/s", "")
    for load in track(loads, "loads", console=console):
        both = [offer(each, request, load * full, seconds, deadline) for each in (url, baseline)]
        ours, theirs = await asyncio.gather(*both)
        figures = (ours.offered, ours.good, ours.rejected, ours.late, theirs.good)
        bars = "█" * round(20 * ours.good / full) + "\n" + "░" * round(20 * theirs.good / full)
        table.add_row(f"{load:g}", *(f"{figure:.2f}" for figure in figures), bars)
    table.caption = f"full load is {full:.2f} requests/s; █ with admission, ░ baseline"
    console.print(table)


async def _slow_streams(url: str, pid: int, streams: int, tokens: int) -> None:
    async with _client(url) as client:
        request = body(await first_model(client), Workload("", 8, tokens, 1, 1))
    result = await hold(url, request, streams, pid)
    table = Table("what", "figure")
    table.add_row("memory per stream, KiB", f"{result.kib_per_stream:.1f}")
    for name, share in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)):
        table.add_row(f"between chunks, s, {name}", f"{quantile(result.intervals, share):.3f}")
    table.add_row("CPU of the client, cores", f"{result.client_cores:.2f}")
    console.print(table)


async def _batching(url: str, streams: int, tokens: int, runs: int) -> None:
    async with _client(url) as client:
        model = await first_model(client)
        await stream(client, model, "Warm up.", tokens)
        one, many = [], []
        for _ in track(range(runs), "runs", console=console):
            one.append(await tokens_per_second(client, model, 1, tokens))
            many.append(await tokens_per_second(client, model, streams, tokens))
    ratios = [b / a for a, b in zip(one, many, strict=True)]
    rows = (("1 stream", one), (f"{streams} streams", many), ("ratio", ratios))
    _print_spreads("tokens/s: median (range)", rows)


def _print_spreads(title: str, rows: Iterable[tuple[str, list[float]]]) -> None:
    table = Table("what", title)
    for name, values in rows:
        table.add_row(name, f"{Spread.of(values):.1f}")
    console.print(table)


def _client(url: str) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=url, api_key="none", max_retries=0, timeout=120)


if __name__ == "__main__":
    app()

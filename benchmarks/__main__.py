"""`python -m benchmarks batching URL`, `... ttft URL PEER`, `... frames`, `... hook`."""

import asyncio
from typing import Annotated

import typer
from openai import AsyncOpenAI
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.frames import CASES, measured
from benchmarks.hook import measured as guards
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

"""Two load generators: vLLM's own for standard figures, a raw one for what it is too slow for."""

import argparse
import asyncio
import contextlib
import io
import itertools
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from benchmarks.figures import Quantiles, Timings
from benchmarks.processes import KEYS, ServerFailed
from benchmarks.raw import Stream, cpu_seconds, stream
from benchmarks.workloads import Workload

Load = Callable[[str, str, Workload], Timings]


def raw(url: str, model: str, workload: Workload) -> Timings:
    """Count frames and parse none; raises ServerFailed if an answer is not whole."""
    return asyncio.run(_raw(url, model, workload))


async def _raw(url: str, model: str, workload: Workload) -> Timings:
    request = body(model, workload)
    keys = itertools.cycle(KEYS if workload.keys else ("none",))
    waiting = iter(range(workload.requests))
    done: list[Stream] = []

    async def work(_: int) -> None:
        done.extend([await stream(url, request, next(keys)) for _ in waiting])

    begun, cpu = time.monotonic(), cpu_seconds()
    await asyncio.gather(*map(work, range(workload.concurrency)))
    seconds, client = time.monotonic() - begun, cpu_seconds() - cpu
    _refuse_cut(done, url)
    steps = workload.output_tokens - 1
    return Timings(
        requests=len(done),
        tokens=workload.tokens,
        seconds=seconds,
        ttft=Quantiles.of(one.ttft for one in done),
        tpot=Quantiles.of((one.took - one.ttft) / steps for one in done),
        e2e=Quantiles.of(one.took for one in done),
        client=client / seconds,
        frames=sum(one.frames for one in done),
    )


def body(model: str, workload: Workload) -> dict[str, Any]:
    """Write a chat of just these lengths."""
    return {
        "model": model,
        "messages": [{"role": "user", "content": " river" * workload.prompt_tokens}],
        "max_tokens": workload.output_tokens,
        "ignore_eos": True,
    }


def _refuse_cut(done: list[Stream], url: str) -> None:
    cut = [one for one in done if not one.done]
    if cut:
        raise ServerFailed(
            f"{len(cut)} of {len(done)} streams from {url} did not end with [DONE]; the first of "
            f"them had status {cut[0].status}."
        )


def standard(folder: str) -> Load:
    """Drive vLLM's own benchmark with the tokenizer in a folder and random prompts."""

    def load(url: str, model: str, workload: Workload) -> Timings:
        main, arguments = _vllm_benchmark()
        given = arguments(_options(url, model, folder, workload))
        cpu = cpu_seconds()
        with _quiet():
            found = asyncio.run(main(given))
        return _timings(found, workload, cpu_seconds() - cpu)

    return load


def _options(url: str, model: str, folder: str, workload: Workload) -> list[str]:
    options = {
        "backend": "openai-chat",
        "base-url": url.removesuffix("/v1"),
        "endpoint": "/v1/chat/completions",
        "model": folder,
        "served-model-name": model,
        "dataset-name": "random",
        "random-input-len": workload.prompt_tokens,
        "random-output-len": workload.output_tokens,
        "num-prompts": workload.requests,
        "max-concurrency": workload.concurrency,
        "percentile-metrics": "ttft,tpot,e2el",
        "metric-percentiles": "50,90,99",
        "temperature": 0,
        "ready-check-timeout-sec": 0,
    }
    pairs = ((f"--{name}", str(value)) for name, value in options.items())
    return [*itertools.chain.from_iterable(pairs), "--disable-tqdm"]


@cache
def _vllm_benchmark() -> tuple[Any, Callable[[list[str]], argparse.Namespace]]:
    """Import it once: that takes seconds."""
    from vllm.benchmarks.serve import add_cli_args, main_async
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    parser = FlexibleArgumentParser()
    add_cli_args(parser)
    return main_async, parser.parse_args


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()):
        yield


def _timings(found: dict[str, Any], workload: Workload, cpu: float) -> Timings:
    """Read vLLM's result; it counts a stream that was cut as a success, hence the lengths."""
    if found["completed"] != workload.requests:
        raise ServerFailed(f"{found['failed']} of {workload.requests} requests failed.")
    if found["total_output_tokens"] < 0.9 * workload.tokens:
        raise ServerFailed(
            f"{found['total_output_tokens']} of {workload.tokens} tokens came: streams were cut."
        )
    ttft, tpot, e2e = (
        Quantiles(*(float(found[f"p{place}_{name}_ms"]) for place in (50, 90, 99)))
        for name in ("ttft", "tpot", "e2el")
    )
    return Timings(
        requests=workload.requests,
        tokens=workload.tokens,
        seconds=found["duration"],
        ttft=ttft,
        tpot=tpot,
        e2e=e2e,
        client=cpu / found["duration"],
    )

"""Two load generators: vLLM's own, and a faster one that parses nothing."""

import argparse
import asyncio
import contextlib
import io
import itertools
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from benchmarks.comparison.figures import Quantiles, Timings
from benchmarks.comparison.processes import KEYS, ServerFailed
from benchmarks.comparison.workloads import Workload
from benchmarks.raw_client import Stream, cpu_seconds, stream

Load = Callable[[str, str, Workload], Timings]


def raw(url: str, model: str, workload: Workload) -> Timings:
    """Run a workload and count frames. Raises ServerFailed if a response is incomplete."""
    return asyncio.run(_raw(url, model, workload))


async def _raw(url: str, model: str, workload: Workload) -> Timings:
    request = body(model, workload)
    keys = itertools.cycle(KEYS if workload.keys else ("none",))
    numbers = iter(range(workload.requests))
    done: list[Stream] = []

    async def work(_: int) -> None:
        done.extend([await stream(url, request, next(keys)) for _ in numbers])

    started_at, cpu = time.monotonic(), cpu_seconds()
    await asyncio.gather(*map(work, range(workload.concurrency)))
    seconds, cpu = time.monotonic() - started_at, cpu_seconds() - cpu
    _require_complete(done, url)
    steps = workload.output_tokens - 1
    return Timings(
        requests=len(done),
        tokens=workload.tokens,
        seconds=seconds,
        ttft=Quantiles.of(one.ttft for one in done),
        tpot=Quantiles.of((one.seconds - one.ttft) / steps for one in done),
        e2e=Quantiles.of(one.seconds for one in done),
        client_cores=cpu / seconds,
        frames=sum(one.frames for one in done),
    )


def body(model: str, workload: Workload) -> dict[str, Any]:
    """Return the body of a chat request with the lengths of a workload."""
    return {
        "model": model,
        "messages": [{"role": "user", "content": " river" * workload.prompt_tokens}],
        "max_tokens": workload.output_tokens,
        "ignore_eos": True,
    }


def _require_complete(done: list[Stream], url: str) -> None:
    incomplete = [one for one in done if not one.done]
    if incomplete:
        raise ServerFailed(
            f"{len(incomplete)} of {len(done)} streams from {url} did not end with [DONE]; the "
            f"first of them had status {incomplete[0].status}."
        )


def standard(folder: str) -> Load:
    """Return vLLM's own load generator, with random prompts for the tokenizer in a folder."""

    def load(url: str, model: str, workload: Workload) -> Timings:
        main, arguments = _vllm_benchmark()
        parsed = arguments(_options(url, model, folder, workload))
        cpu = cpu_seconds()
        with _quiet():
            result = asyncio.run(main(parsed))
        return _timings(result, workload, cpu_seconds() - cpu)

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
    """Import it once: the import takes seconds."""
    from vllm.benchmarks.serve import add_cli_args, main_async
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    parser = FlexibleArgumentParser()
    add_cli_args(parser)
    return main_async, parser.parse_args


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()):
        yield


def _timings(result: dict[str, Any], workload: Workload, cpu: float) -> Timings:
    """Convert vLLM's result. It counts streams that were cut as successes: check the tokens."""
    if result["completed"] != workload.requests:
        raise ServerFailed(f"{result['failed']} of {workload.requests} requests failed.")
    if result["total_output_tokens"] < 0.9 * workload.tokens:
        raise ServerFailed(
            f"{result['total_output_tokens']} of {workload.tokens} tokens came: streams were cut."
        )
    ttft, tpot, e2e = (
        Quantiles(*(float(result[f"p{percentile}_{name}_ms"]) for percentile in (50, 90, 99)))
        for name in ("ttft", "tpot", "e2el")
    )
    return Timings(
        requests=workload.requests,
        tokens=workload.tokens,
        seconds=result["duration"],
        ttft=ttft,
        tpot=tpot,
        e2e=e2e,
        client_cores=cpu / result["duration"],
    )

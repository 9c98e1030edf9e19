"""Simulated engines without HTTP: the most that a gateway in front of them could deliver."""

import asyncio
import itertools
import time

from benchmarks.figures import Quantiles, Timings
from benchmarks.workloads import Workload
from engine import (
    Chat,
    EngineBackend,
    EngineConfig,
    GenerateRequest,
    SamplingParams,
    Simulated,
    create_engine,
)


def engines_alone(profile: str, replicas: int, slots: int, workload: Workload) -> Timings:
    """Run a workload on engines, which get requests in turn."""
    return asyncio.run(_run(profile, replicas, slots, workload))


async def _run(profile: str, replicas: int, slots: int, workload: Workload) -> Timings:
    device = Simulated.model_validate({"kind": "simulated", "profile": profile})
    config = EngineConfig(max_model_len=4096, max_num_seqs=slots, device=device)
    engines = [create_engine("simulated-8b", config) for _ in range(replicas)]
    for engine in engines:
        await engine.start()
    try:
        return await _load(engines, workload)
    finally:
        for engine in engines:
            await engine.close()


async def _load(engines: list[EngineBackend], workload: Workload) -> Timings:
    numbers, times = iter(range(workload.requests)), list[tuple[float, float]]()

    async def work(engine: EngineBackend) -> None:
        for number in numbers:
            times.append(await _one(engine, number, workload))

    begun, cpu = time.monotonic(), time.process_time()
    readers = itertools.islice(itertools.cycle(engines), workload.concurrency)
    await asyncio.gather(*map(work, readers))
    seconds = time.monotonic() - begun
    steps = workload.output_tokens - 1
    return Timings(
        requests=len(times),
        tokens=workload.tokens,
        seconds=seconds,
        ttft=Quantiles.of(first for first, _ in times),
        tpot=Quantiles.of((last - first) / steps for first, last in times),
        e2e=Quantiles.of(last for _, last in times),
        client=(time.process_time() - cpu) / seconds,
    )


async def _one(engine: EngineBackend, number: int, workload: Workload) -> tuple[float, float]:
    """Return the seconds to the first delta and to the last."""
    message = {"role": "user", "content": " river" * workload.prompt_tokens}
    request = GenerateRequest(
        request_id=f"alone-{number}",
        prompt=Chat(messages=(message,)),
        sampling=SamplingParams(max_tokens=workload.output_tokens, ignore_eos=True),
    )
    begun = time.monotonic()
    first = last = 0.0
    async for _ in engine.generate(request):
        last = time.monotonic() - begun
        first = first or last
    return first, last

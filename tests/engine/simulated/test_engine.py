"""The simulated engine: the laws of an Engine, its virtual device, its faults."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from engine import (
    EngineBackend,
    EngineConfig,
    EngineDead,
    GenerateRequest,
    GenerationFailed,
    SamplingParams,
    Simulated,
    create_engine,
)
from tests.engine.contract import EngineContract, collect, request


async def start(slots: int = 4, **device: Any) -> EngineBackend:
    simulated = Simulated.model_validate({"kind": "simulated", "time_scale": 0} | device)
    engine = create_engine("sim", EngineConfig(max_num_seqs=slots, device=simulated))
    await engine.start()
    return engine


@pytest.fixture
async def backend() -> AsyncGenerator[EngineBackend, None]:
    engine = await start()
    yield engine
    await engine.close()


class TestSimulated(EngineContract):
    @pytest.fixture
    def engine(self, backend: EngineBackend) -> EngineBackend:
        return backend


async def test_no_more_than_its_slots_run_at_once() -> None:
    engine = await start(slots=2, faults={"stall_at_token": 1})
    streams = [engine.generate(request(n)) for n in range(5)]
    firsts = [asyncio.ensure_future(anext(stream)) for stream in streams]
    await asyncio.sleep(0.05)
    assert (engine.load.running, engine.load.waiting) == (2, 3)
    for first, stream in zip(firsts, streams, strict=True):
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await stream.aclose()
    assert (engine.load.running, engine.load.waiting) == (0, 0)
    await engine.close()


async def test_a_stream_can_go_on_after_what_was_sent(backend: EngineBackend) -> None:
    whole = await collect(backend.generate(request()))
    emitted = tuple(token for delta in whole[:5] for token in delta.token_ids)
    rest = await collect(
        backend.generate(
            GenerateRequest(
                request_id="rest",
                prompt=request().prompt,
                sampling=request().sampling,
                emitted=emitted,
            )
        )
    )
    assert [d.text for d in rest] == [d.text for d in whole[5:]]
    assert rest[-1].usage == whole[-1].usage


async def test_a_failing_request_leaves_the_others_alone() -> None:
    engine = await start(faults={"fail_at_token": 3})
    with pytest.raises(GenerationFailed):
        await collect(engine.generate(request()))
    assert len(await collect(engine.generate(request(max_tokens=2)))) == 2
    await engine.close()


async def test_death_ends_every_stream() -> None:
    engine = await start(faults={"die_at_token": 3})
    tasks = [asyncio.create_task(collect(engine.generate(request(n)))) for n in range(6)]
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [EngineDead] * 6
    with pytest.raises(EngineDead):
        await engine.check_health()


async def test_a_slow_reader_gets_merged_deltas(backend: EngineBackend) -> None:
    stream = backend.generate(request())
    first = await anext(stream)
    await asyncio.sleep(0.05)
    second = await anext(stream)
    assert (len(first.token_ids), len(second.token_ids)) == (1, 11)
    await stream.aclose()


async def test_greedy_text_does_not_depend_on_the_seed(backend: EngineBackend) -> None:
    greedy = [await collect(backend.generate(request(seed=seed))) for seed in (1, 2)]
    sampled = [await collect(backend.generate(request(seed=s, temperature=1.0))) for s in (1, 2)]
    assert greedy[0] == greedy[1]
    assert sampled[0] != sampled[1]


def test_prefill_is_padded_to_its_bucket() -> None:
    device = Simulated(kind="simulated", prefill_base_ms=1, prefill_ms_per_token=0.1)
    buckets = device.buckets(600)
    assert buckets == (128, 256, 512, 600)
    assert device.prefill_seconds(100, buckets) == pytest.approx(0.0138)
    assert device.prefill_seconds(129, buckets) == pytest.approx(0.0266)


def test_a_decode_step_takes_the_time_of_all_slots() -> None:
    device = Simulated(kind="simulated", decode_base_ms=10, decode_ms_per_slot=0.5)
    assert device.decode_seconds(slots=8) == 0.014


async def test_more_tokens_than_asked_for_never_come(backend: EngineBackend) -> None:
    for wanted in (1, 2, 100):
        params = SamplingParams(max_tokens=wanted, ignore_eos=True)
        deltas = await collect(
            backend.generate(GenerateRequest(request_id="n", prompt="x", sampling=params))
        )
        assert sum(len(delta.token_ids) for delta in deltas) == wanted

"""Runs of a fleet: arithmetic by hand, and the simulated engine itself."""

import asyncio
import itertools
from random import Random

import pytest

from deploy.planner import simulate
from deploy.planner.fleet import Fleet, run
from deploy.planner.workload import Request
from engine import EngineConfig, GenerateRequest, SamplingParams, Simulated, create_engine
from tests.deploy.planner.examples import USUAL, option
from tests.virtual_time import run_in_virtual_time


def device(**latencies: float) -> Simulated:
    given = {"prefill_base_ms": 0, "prefill_ms_per_token": 1, "decode_base_ms": 10,
             "decode_ms_per_slot": 0}  # fmt: skip
    return Simulated.model_validate(
        {"kind": "simulated", "prefill_buckets": (100, 200)} | given | latencies
    )


def one_engine(slots: int) -> Fleet:
    return Fleet(device=device(), replicas=1, slots=slots, max_model_len=200)


def test_a_request_alone_takes_its_prefill_and_its_steps() -> None:
    seen = run(one_engine(4), [Request(0, 50, 11)], 1)
    # 100 tokens of the bucket at 1 ms, then ten steps of 10 ms.
    assert seen.ttft.mean == pytest.approx(0.1)
    assert seen.tpot.mean == pytest.approx(0.01)
    assert seen.e2e.mean == pytest.approx(0.2)
    assert seen.tokens_per_second == pytest.approx(11 / 0.2)


def test_decode_stands_still_while_a_prompt_is_prefilled() -> None:
    seen = run(one_engine(2), [Request(0, 50, 11), Request(0.15, 50, 11)], 2)
    # The first has 5 steps left when the second's prefill of 100 ms comes in between.
    assert seen.tpot.quantile(1) == pytest.approx(0.02, rel=0.01)
    assert seen.ttft.mean == pytest.approx(0.1)


def test_without_a_free_slot_a_request_waits_for_the_end_of_another() -> None:
    seen = run(one_engine(1), [Request(0, 50, 11), Request(0, 50, 11)], 2)
    assert seen.ttft.quantile(1) == pytest.approx(0.3, rel=0.01)
    assert seen.busy == pytest.approx(0.5)


def test_a_prompt_that_fills_a_bucket_runs_in_the_next() -> None:
    assert run(one_engine(1), [Request(0, 100, 2)], 1).ttft.mean == pytest.approx(0.2)


def test_a_run_has_the_times_of_the_simulated_engine() -> None:
    chance = Random(5)
    at, requests = 0.0, []
    for _ in range(60):
        at += chance.expovariate(14)
        requests.append(Request(at, chance.choice((20, 110)), chance.randint(1, 40)))
    fleet = one_engine(3)
    expected = run(fleet, requests, 10)  # fewer than there are: none is left out as warm-up
    ttft, e2e = run_in_virtual_time(_engine_times(fleet, requests))
    assert expected.requests == 60
    assert sum(e2e) / 60 == pytest.approx(expected.e2e.mean, rel=1e-6)
    assert sum(ttft) / 60 == pytest.approx(expected.ttft.mean, rel=1e-6)


async def _engine_times(fleet: Fleet, requests: list[Request]) -> tuple[list[float], list[float]]:
    config = EngineConfig(
        max_model_len=fleet.max_model_len, max_num_seqs=fleet.slots, device=fleet.device
    )
    engine = create_engine("simulated", config)
    await engine.start()
    loop, ttft, e2e = asyncio.get_running_loop(), list[float](), list[float]()

    async def ask(number: int, request: Request) -> None:
        await asyncio.sleep(request.at - loop.time())
        sampling = SamplingParams(max_tokens=request.output, ignore_eos=True)
        prompt = tuple(itertools.repeat(7, request.prompt))
        first = None
        wanted = GenerateRequest(request_id=str(number), prompt=prompt, sampling=sampling)
        async for _ in engine.generate(wanted):
            first = first or loop.time()
        ttft.append((first or 0) - request.at)
        e2e.append(loop.time() - request.at)

    await asyncio.gather(*itertools.starmap(ask, enumerate(requests)))
    await engine.close()
    return ttft, e2e


def test_a_fleet_under_too_much_load_yields_its_capacity() -> None:
    placement = option("inf2.48xlarge", 8, 32)
    seen = simulate(placement, 1, USUAL, 1.3 * placement.capacity(USUAL))
    assert seen.requests_per_second == pytest.approx(placement.capacity(USUAL), rel=0.02)

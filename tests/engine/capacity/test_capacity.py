"""Capacity: arithmetic by hand, and runs faster than time beside the simulated engine itself."""

import asyncio
import itertools
from pathlib import Path
from random import Random

import pytest

from engine import EngineConfig, GenerateRequest, SamplingParams, Simulated, create_engine
from engine.capacity import (
    Lengths,
    PlanError,
    Slo,
    Workload,
    WorkloadError,
    cheapest,
    find_shape,
    placements,
    read_workload,
    shape_by_hand,
    simulate,
)
from engine.capacity.fleet import Fleet, run
from engine.capacity.histogram import Histogram
from engine.capacity.placement import Placement
from engine.capacity.published import PUBLISHED, markdown, simulated
from engine.capacity.workload import Request
from tests.virtual_time import run_in_virtual_time

README = Path(__file__).parents[3] / "README.md"
LLAMA = "meta-llama/Meta-Llama-3-8B-Instruct"
USUAL = Workload(
    requests_per_second=1, prompt_tokens=Lengths(mean=1500), output_tokens=Lengths(mean=250)
)


def device(**latencies: float) -> Simulated:
    given = {"prefill_base_ms": 0, "prefill_ms_per_token": 1, "decode_base_ms": 10,
             "decode_ms_per_slot": 0}  # fmt: skip
    return Simulated.model_validate(
        {"kind": "simulated", "prefill_buckets": (100, 200)} | given | latencies
    )


def one_engine(slots: int) -> Fleet:
    return Fleet(device=device(), replicas=1, slots=slots, max_model_len=200)


def option(instance: str, degree: int, slots: int, length: int = 4096) -> Placement:
    (found,) = placements(
        find_shape(LLAMA), length=length, instances=[instance], degrees=[degree], slots=slots
    )
    return found


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


def test_the_run_is_that_of_the_simulated_engine() -> None:
    chance = Random(5)
    at, requests = 0.0, []
    for _ in range(60):
        at += chance.expovariate(14)
        requests.append(Request(at, chance.choice((20, 110)), chance.randint(1, 40)))
    fleet = one_engine(3)
    expected = run(fleet, requests, 10)  # fewer than it is told: nothing is left out as warm-up
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


def test_a_quantile_is_within_a_percent() -> None:
    times = Histogram()
    for number in range(1, 1001):
        times.add(number / 1000)
    assert times.quantile(0.5) == pytest.approx(0.5, rel=0.01)
    assert times.quantile(0.99) == pytest.approx(0.99, rel=0.01)
    assert times.mean == pytest.approx(0.5005)


def test_memory_of_a_core_is_as_by_hand() -> None:
    memory = option("inf2.8xlarge", 2, 10).memory
    # 8.03 B weights of 2 bytes; 10 slots of 4,096 tokens of 128 KiB; over two cores.
    assert memory.weights / 1e9 == pytest.approx(16.06, abs=0.01)
    assert memory.kv == 10 * 4096 * 131072
    assert memory.total / 1e9 == pytest.approx(21.43, abs=0.01)


def test_steps_and_capacity_are_as_by_hand() -> None:
    placement = option("inf2.48xlarge", 8, 32)
    # The lines of inf2-tp8: 9.81 + 0.4773 ms a slot; 300 ms for 4,096 tokens.
    assert placement.step == pytest.approx(0.02508, abs=1e-5)
    assert placement.prefill(1500) == pytest.approx(0.15)
    # Three engines, each 0.15 s of prefill and 249 steps for 32 requests at once.
    assert placement.capacity(USUAL) == pytest.approx(3 / (0.15 + 249 * 0.02508 / 32), rel=1e-3)


def test_a_fleet_under_too_much_load_yields_its_capacity() -> None:
    placement = option("inf2.48xlarge", 8, 32)
    seen = simulate(placement, 1, USUAL, 1.3 * placement.capacity(USUAL))
    assert seen.requests_per_second == pytest.approx(placement.capacity(USUAL), rel=0.02)


def test_dollars_per_million_tokens_are_as_by_hand() -> None:
    placement = option("inf2.48xlarge", 8, 32)
    load = USUAL.model_copy(update={"requests_per_second": 4})
    (choice,) = cheapest([placement], load, Slo(ttft=5), fixed=32, report=lambda _: None)
    # 4 requests of 250 tokens a second for 12.98127 dollars an hour.
    assert choice.instances == 1
    assert choice.dollars_per_million == pytest.approx(12.98127 / 3600 / 1000 * 1e6, rel=0.01)


@pytest.mark.parametrize(
    ("instance", "degree", "reason"),
    [
        ("inf2.xlarge", 2, "16 GiB of host memory cannot load"),
        ("inf2.8xlarge", 1, "no room for one slot"),
        ("inf2.8xlarge", 8, "more than its 2 NeuronCores"),
        ("inf2.48xlarge", 24, "does not divide the model's 32 attention heads"),
    ],
)
def test_what_cannot_be_says_why(instance: str, degree: int, reason: str) -> None:
    assert reason in (option(instance, degree, 1).problem() or "")


def test_too_many_slots_say_how_many_fit() -> None:
    assert option("inf2.8xlarge", 2, 64).problem() == "64 slots do not fit, 27 do"


def test_another_model_is_scaled_by_its_weights_and_says_so() -> None:
    shape = shape_by_hand("parameters=16.06e9,layers=40,heads=40,kv_heads=8", length=4096)
    (placement,) = placements(
        shape, length=4096, instances=["inf2.48xlarge"], degrees=[8], slots=32
    )
    assert placement.step == pytest.approx(2 * 0.02508, abs=1e-4)
    assert any("scaled by 2.00" in remark for remark in placement.remarks)


def test_the_cheapest_fleet_is_the_smallest_that_holds_the_level() -> None:
    load = USUAL.model_copy(update={"requests_per_second": 20})
    slo, placement = Slo.parse("ttft=2s,tpot=80ms"), option("inf2.48xlarge", 8, 32)
    (choice,) = cheapest([placement], load, slo, fixed=32, report=lambda _: None)
    assert slo.held(simulate(placement, choice.instances, load, 1))
    assert not slo.held(simulate(placement, choice.instances - 1, load, 1))


def test_a_level_that_nothing_holds_is_told_with_what_the_fastest_does() -> None:
    options = list(placements(find_shape(LLAMA), length=4096))
    with pytest.raises(PlanError, match=r"ms for a token when nothing else runs. Relax --slo"):
        cheapest(options, USUAL, Slo.parse("tpot=1ms"), fixed=None, report=lambda _: None)


@pytest.mark.parametrize("text", ["ttft", "ttft=2", "speed=2s", "ttft=-1s"])
def test_a_level_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(PlanError, match="such as ttft=2s,tpot=80ms"):
        Slo.parse(text)


def test_a_trace_is_replayed_and_begins_anew(tmp_path: Path) -> None:
    file = tmp_path / "trace.csv"
    file.write_text("seconds,prompt_tokens,output_tokens\n10,5,6\n11,7,8\n")
    load = read_workload(file)
    # Two requests in a second, and as long a gap behind them as one of theirs.
    assert [r.at for r in load.requests(4)] == pytest.approx([0, 1, 1.5, 2.5])
    assert load.longest == 15
    assert load.requests_per_second == pytest.approx(2 / 1.5)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.yaml", "requests_per_second: 0", "requests_per_second"),
        ("a.yaml", "{requests_per_second: 1, prompt_tokens: 5, output_tokens: {sd: 1}}", "mean"),
        ("a.yaml", "[", "not valid YAML"),
        ("a.csv", "seconds,prompt_tokens\n1,2\n", "no column output_tokens"),
        ("a.csv", "seconds,prompt_tokens,output_tokens\n1,2,x\n", "line 2"),
        ("a.csv", "seconds,prompt_tokens,output_tokens\n", "no requests"),
    ],
)
def test_a_workload_that_cannot_be_read_is_refused(
    tmp_path: Path, name: str, text: str, says: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(WorkloadError, match=says):
        read_workload(tmp_path / name)


def test_delivered_tokens_are_within_a_tenth_of_what_others_saw_on_eight_cores() -> None:
    for row in (one for one in PUBLISHED if one.profile == "inf2-tp8"):
        assert simulated(row).tokens_per_second == pytest.approx(row.tokens, rel=0.1), row.what


def test_the_readme_shows_what_others_saw_beside_the_simulation() -> None:
    assert markdown() in README.read_text("utf-8")

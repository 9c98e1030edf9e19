"""Admission: slots, a fair and bounded queue, 429s with a time to retry; nothing is left behind."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import httpx
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import (
    DeadlineExceeded,
    Engine,
    EngineBackend,
    EngineOverloaded,
    GenerateRequest,
    GenerationFailed,
    ModelInfo,
    SamplingParams,
    TokenDelta,
    Usage,
)
from gateway.policies.admission import Admission, AdmissionLimits
from tests.conftest import Serve, sdk
from tests.engine.contract import EngineContract
from tests.virtual_time import run_in_virtual_time


class TestAdmission(EngineContract):
    @pytest.fixture
    def engine(self, backend: EngineBackend) -> Engine:
        return Admission(backend, AdmissionLimits(2, 64, 30))


class HeldEngine:
    """Generates one token when a request is released; records the order in which they arrive."""

    model = ModelInfo(id="held", max_model_len=100)

    def __init__(self) -> None:
        self.order: list[str] = []
        self.open: dict[str, asyncio.Event] = {}

    async def check_health(self) -> None: ...

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[TokenDelta, None]:
        self.order.append(request.request_id)
        event = self.open.setdefault(request.request_id, asyncio.Event())
        await event.wait()
        if "fails" in request.request_id:
            raise GenerationFailed("It failed.")
        usage = Usage(prompt_tokens=1, completion_tokens=1)
        yield TokenDelta(text="x", token_ids=(1,), finish_reason="stop", usage=usage)

    def release(self, name: str) -> None:
        self.open.setdefault(name, asyncio.Event()).set()


def request(name: str, caller: str = "", weight: float = 1.0, tokens: int = 10) -> GenerateRequest:
    params = SamplingParams(max_tokens=tokens)
    return GenerateRequest(
        request_id=name, prompt="one", sampling=params, caller=caller, weight=weight
    )


async def run(engine: Engine, one: GenerateRequest) -> list[TokenDelta]:
    async with aclosing(engine.generate(one)) as deltas:
        return [delta async for delta in deltas]


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


class Crowd:
    """Requests that were sent to an Admission over a HeldEngine."""

    def __init__(self, slots: int = 1, max_queued: int = 64, seconds: float = 30) -> None:
        self.held = HeldEngine()
        limits = AdmissionLimits(slots, max_queued, seconds)
        self.admission = Admission(self.held, limits, chance=lambda: 0.0)
        self.tasks: dict[str, asyncio.Task[Any]] = {}

    async def send(self, name: str, **fields: Any) -> asyncio.Task[Any]:
        task = asyncio.create_task(run(self.admission, request(name, **fields)))
        self.tasks[name] = task
        await settle()
        return task

    async def serve_all(self) -> list[str]:
        """Release every request that reaches the engine; return their order."""
        seen = 0
        while seen < len(self.held.order):
            self.held.release(self.held.order[seen])
            seen += 1
            await settle()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        return self.held.order


async def test_no_more_requests_reach_the_engine_than_it_has_slots() -> None:
    crowd = Crowd(slots=2)
    for name in "abcd":
        await crowd.send(name)
    assert crowd.held.order == ["a", "b"]
    assert (crowd.admission.running, crowd.admission.waiting) == (2, 2)
    crowd.held.release("b")
    await settle()
    assert crowd.held.order == ["a", "b", "c"]
    await crowd.serve_all()
    assert (crowd.admission.running, crowd.admission.waiting) == (0, 0)


async def test_requests_of_one_caller_are_served_in_their_order() -> None:
    crowd = Crowd()
    for name in "abcde":
        await crowd.send(name, caller="one")
    assert await crowd.serve_all() == list("abcde")


async def test_a_caller_with_one_request_passes_a_hundred_of_another() -> None:
    crowd = Crowd(max_queued=200)
    for n in range(100):
        await crowd.send(f"many-{n}", caller="many")
    await crowd.send("few", caller="few")
    order = await crowd.serve_all()
    assert order.index("few") <= 2


async def test_a_caller_of_four_times_the_weight_gets_four_times_the_share() -> None:
    crowd = Crowd(max_queued=200)
    await crowd.send("first")
    for n in range(40):
        await crowd.send(f"low-{n}", caller="low", weight=1)
        await crowd.send(f"high-{n}", caller="high", weight=4)
    early = (await crowd.serve_all())[1:26]
    assert sum(name.startswith("high") for name in early) == 20


async def test_shares_are_of_tokens_not_of_requests() -> None:
    crowd = Crowd(max_queued=200)
    await crowd.send("first")
    for n in range(30):
        await crowd.send(f"long-{n}", caller="long", tokens=400)
        await crowd.send(f"short-{n}", caller="short", tokens=40)
    early = (await crowd.serve_all())[1:23]
    assert sum(name.startswith("short") for name in early) >= 18


async def test_a_full_queue_rejects_at_once() -> None:
    crowd = Crowd(max_queued=1)
    await crowd.send("a")
    await crowd.send("b")
    rejected = await crowd.send("c")
    error = rejected.exception()
    assert isinstance(error, EngineOverloaded)
    assert "no free slot" in error.message
    await crowd.serve_all()


class PacedEngine:
    """Generates a token in a hundredth of a second, by a clock of its own."""

    model = ModelInfo(id="paced", max_model_len=10_000)

    def __init__(self) -> None:
        self.now = 0.0
        self.held = asyncio.Event()

    async def check_health(self) -> None: ...

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[TokenDelta, None]:
        self.now += 0.5
        yield TokenDelta(text="x", token_ids=(1,))
        if request.request_id == "holds":
            await self.held.wait()
        wanted = request.sampling.max_tokens or 1
        self.now += 0.01 * (wanted - 1)
        usage = Usage(prompt_tokens=1, completion_tokens=wanted)
        ids = tuple(range(wanted - 1))
        yield TokenDelta(text="x", token_ids=ids, finish_reason="length", usage=usage)


async def test_a_wait_beyond_the_limit_is_rejected_with_the_predicted_rest() -> None:
    engine = PacedEngine()
    admission = Admission(
        engine, AdmissionLimits(1, 64, 1.0), clock=lambda: engine.now, chance=lambda: 0.0
    )
    await run(admission, request("learns", tokens=201))
    holder = asyncio.create_task(run(admission, request("holds", tokens=201)))
    await settle()
    with pytest.raises(EngineOverloaded) as rejected:
        await run(admission, request("rejected", tokens=201))
    assert rejected.value.retry_after == pytest.approx(200 * 0.01 - 1.0, abs=0.02)
    engine.held.set()
    await holder


@pytest.mark.parametrize(("own_timeout", "seconds"), [(None, 30), (5, 5), (60, 30)])
def test_a_wait_that_was_too_long_ends_with_its_deadline(
    own_timeout: float | None, seconds: float
) -> None:
    async def scenario() -> None:
        crowd = Crowd(seconds=30)
        await crowd.send("a")
        waits = replace(request("b"), timeout_seconds=own_timeout)
        start = asyncio.get_running_loop().time()
        with pytest.raises(DeadlineExceeded, match="too long for a slot"):
            await run(crowd.admission, waits)
        assert asyncio.get_running_loop().time() - start == pytest.approx(seconds)
        assert crowd.admission.waiting == 0
        await crowd.serve_all()

    run_in_virtual_time(scenario())


async def test_a_request_that_is_cancelled_in_the_queue_leaves_it() -> None:
    crowd = Crowd()
    for name in "abc":
        await crowd.send(name)
    crowd.tasks["b"].cancel()
    await settle()
    assert crowd.admission.waiting == 1
    assert await crowd.serve_all() == ["a", "c"]


async def test_the_last_delta_has_the_time_in_the_queue() -> None:
    engine = PacedEngine()
    limits = AdmissionLimits(1, 9, 30)
    admission = Admission(engine, limits, clock=lambda: engine.now, chance=lambda: 0.0)
    holder = asyncio.create_task(run(admission, request("holds", tokens=201)))
    await settle()
    waits = asyncio.create_task(run(admission, request("waits")))
    await settle()
    engine.held.set()
    first, second = (deltas[-1].usage for deltas in await asyncio.gather(holder, waits))
    assert first is not None
    assert second is not None
    assert (first.queue_seconds, second.queue_seconds) == (0, pytest.approx(2.0))


Steps = st.lists(
    st.tuples(st.sampled_from(["send", "fails", "cancel", "release"]), st.integers(0, 9)),
    max_size=40,
)


@given(Steps)
@settings(max_examples=60)
def test_no_order_of_arrivals_cancellations_and_failures_leaves_a_slot_taken(
    steps: list[tuple[str, int]],
) -> None:
    async def scenario() -> None:
        crowd = Crowd(slots=2, max_queued=3)
        for number, (what, which) in enumerate(steps):
            names = list(crowd.tasks)
            if what in ("send", "fails"):
                await crowd.send(f"{what}-{number}", caller=str(which % 3))
            elif names and what == "cancel":
                crowd.tasks[names[which % len(names)]].cancel()
            elif names:
                crowd.held.release(names[which % len(names)])
            await settle()
            assert crowd.admission.running <= 2
        await crowd.serve_all()
        assert (crowd.admission.running, crowd.admission.waiting) == (0, 0)

    asyncio.run(scenario())


ASK = {"model": "sim", "messages": [{"role": "user", "content": "hi"}]}
SLOW = {"time_scale": 1, "prefill_base_ms": 0, "decode_base_ms": 20, "decode_ms_per_slot": 0}


def test_overload_is_a_429_with_the_time_to_retry(serve: Serve) -> None:
    url = serve(SLOW, engine={"max_num_seqs": 1}, limits={"engine_queue_depth": 0, "max_queued": 0})
    body = ASK | {"max_tokens": 100, "ignore_eos": True}
    with httpx.stream("POST", f"{url}/v1/chat/completions", json=body | {"stream": True}) as busy:
        lines = busy.iter_lines()  # kept: httpx closes a stream whose iterator is gone
        next(lines)
        refused = httpx.post(f"{url}/v1/chat/completions", json=body)
        error = refused.json()["error"]
        assert (refused.status_code, error["type"]) == (429, "rate_limit_error")
        assert (error["code"], error["param"]) == ("engine_overloaded", None)
        assert int(refused.headers["retry-after"]) >= 1
        assert (
            0 < int(refused.headers["retry-after-ms"]) <= 1000 * int(refused.headers["retry-after"])
        )
        with sdk(url) as client, pytest.raises(openai.RateLimitError):
            client.post("/chat/completions", body=body, cast_to=object)
    assert httpx.post(f"{url}/v1/chat/completions", json=body | {"max_tokens": 1}).is_success


def test_more_choices_than_can_ever_be_served_are_a_400(serve: Serve) -> None:
    url = serve(limits={"max_queued": 2})
    refused = httpx.post(f"{url}/v1/chat/completions", json=ASK | {"n": 9})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "n")


async def test_two_that_are_cancelled_at_once_leave_nothing_behind() -> None:
    crowd = Crowd()
    await crowd.send("a")
    await crowd.send("b")
    for name in "ab":  # the first frees its slot for the second, which is cancelled too
        crowd.tasks[name].cancel()
    await settle()
    assert (crowd.admission.running, crowd.admission.waiting) == (0, 0)
    assert all(task.cancelled() for task in crowd.tasks.values())

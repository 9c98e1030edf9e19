"""Admission: places, a fair and bounded queue, refusals that say when; nothing ever leaks."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
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
from gateway.policies.fair_queue import FairQueue
from tests.conftest import Serve, sdk
from tests.engine.contract import EngineContract


class TestAdmission(EngineContract):
    @pytest.fixture
    def engine(self, backend: EngineBackend) -> Engine:
        return Admission(backend, AdmissionLimits(2, 64, 30))


class HeldEngine:
    """Gives one token when it is let, and says in which order requests reached it."""

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

    def let(self, name: str) -> None:
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

    def __init__(self, places: int = 1, max_queued: int = 64, seconds: float = 30) -> None:
        self.held = HeldEngine()
        limits = AdmissionLimits(places, max_queued, seconds)
        self.admission = Admission(self.held, limits, chance=lambda: 0.0)
        self.tasks: dict[str, asyncio.Task[Any]] = {}

    async def send(self, name: str, **fields: Any) -> asyncio.Task[Any]:
        task = asyncio.create_task(run(self.admission, request(name, **fields)))
        self.tasks[name] = task
        await settle()
        return task

    async def serve_all(self) -> list[str]:
        """Let every request that reaches the engine through; give their order."""
        seen = 0
        while seen < len(self.held.order):
            self.held.let(self.held.order[seen])
            seen += 1
            await settle()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        return self.held.order


async def test_no_more_than_its_places_reach_the_engine() -> None:
    crowd = Crowd(places=2)
    for name in "abcd":
        await crowd.send(name)
    assert crowd.held.order == ["a", "b"]
    assert (crowd.admission.running, crowd.admission.waiting) == (2, 2)
    crowd.held.let("b")
    await settle()
    assert crowd.held.order == ["a", "b", "c"]
    await crowd.serve_all()
    assert (crowd.admission.running, crowd.admission.waiting) == (0, 0)


async def test_of_one_caller_the_first_to_come_is_the_first_served() -> None:
    crowd = Crowd()
    for name in "abcde":
        await crowd.send(name, caller="one")
    assert await crowd.serve_all() == list("abcde")


async def test_a_caller_with_one_request_passes_another_ones_hundred() -> None:
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


async def test_a_full_queue_refuses_at_once() -> None:
    crowd = Crowd(max_queued=1)
    await crowd.send("a")
    await crowd.send("b")
    refused = await crowd.send("c")
    assert isinstance(refused.exception(), EngineOverloaded)
    await crowd.serve_all()


class PacedEngine:
    """Makes a token in a hundredth of a second of a clock that is set by hand."""

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


async def test_a_wait_beyond_the_limit_is_refused_with_the_predicted_rest() -> None:
    engine = PacedEngine()
    admission = Admission(
        engine, AdmissionLimits(1, 64, 1.0), clock=lambda: engine.now, chance=lambda: 0.0
    )
    await run(admission, request("learns", tokens=201))
    holder = asyncio.create_task(run(admission, request("holds", tokens=201)))
    await settle()
    with pytest.raises(EngineOverloaded) as refused:
        await run(admission, request("refused", tokens=201))
    assert refused.value.retry_after == pytest.approx(200 * 0.01 - 1.0, abs=0.02)
    engine.held.set()
    await holder


async def test_a_wait_that_was_too_long_ends_with_its_deadline() -> None:
    crowd = Crowd(seconds=0.05)
    await crowd.send("a")
    with pytest.raises(DeadlineExceeded):
        await (await crowd.send("b"))
    assert crowd.admission.waiting == 0
    await crowd.serve_all()


async def test_one_who_leaves_while_it_waits_leaves_no_trace() -> None:
    crowd = Crowd()
    for name in "abc":
        await crowd.send(name)
    crowd.tasks["b"].cancel()
    await settle()
    assert crowd.admission.waiting == 1
    assert await crowd.serve_all() == ["a", "c"]


async def test_the_last_delta_says_how_long_it_waited(backend: EngineBackend) -> None:
    deltas = await run(Admission(backend, AdmissionLimits(1, 9, 30)), request("a"))
    assert deltas[-1].usage is not None
    assert deltas[-1].usage.queue_seconds >= 0


Steps = st.lists(
    st.tuples(st.sampled_from(["send", "fails", "leave", "let"]), st.integers(0, 9)), max_size=40
)


@given(Steps)
@settings(max_examples=60)
def test_no_order_of_arrivals_departures_and_failures_leaves_a_place_taken(
    steps: list[tuple[str, int]],
) -> None:
    async def scenario() -> None:
        crowd = Crowd(places=2, max_queued=3)
        for number, (what, which) in enumerate(steps):
            names = list(crowd.tasks)
            if what in ("send", "fails"):
                await crowd.send(f"{what}-{number}", caller=str(which % 3))
            elif names and what == "leave":
                crowd.tasks[names[which % len(names)]].cancel()
            elif names:
                crowd.held.let(names[which % len(names)])
            await settle()
            assert crowd.admission.running <= 2
        await crowd.serve_all()
        assert (crowd.admission.running, crowd.admission.waiting) == (0, 0)

    asyncio.run(scenario())


class Item:
    def __init__(self, caller: str, cost: int, weight: float = 1.0) -> None:
        self.caller, self.cost, self.weight = caller, cost, weight


def test_a_caller_who_comes_back_is_not_owed_the_time_it_was_away() -> None:
    queue: FairQueue[Item] = FairQueue()
    for _ in range(10):
        queue.push(Item("a", 10))
    for _ in range(5):
        queue.pop()
    for _ in range(5):
        queue.push(Item("b", 10))
    order = [queue.pop().caller for _ in range(10)]
    assert order[:4].count("b") == 2


ASK = {"model": "sim", "messages": [{"role": "user", "content": "hi"}]}
SLOW = {"time_scale": 1, "prefill_base_ms": 0, "decode_base_ms": 20, "decode_ms_per_slot": 0}


def test_overload_is_a_429_with_exact_waits(serve: Serve) -> None:
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


async def test_two_who_leave_at_once_leave_no_ghost() -> None:
    crowd = Crowd()
    await crowd.send("a")
    await crowd.send("b")
    for name in "ab":  # the first gives its place to the second, which is cancelled too
        crowd.tasks[name].cancel()
    await settle()
    assert (crowd.admission.running, crowd.admission.waiting) == (0, 0)
    assert all(task.cancelled() for task in crowd.tasks.values())


def test_what_was_not_served_is_not_paid_for() -> None:
    queue: FairQueue[Item] = FairQueue()
    gone = [Item("a", 4096) for _ in range(20)]
    for item in gone:
        queue.push(item)
    queue.push(Item("b", 10))
    for item in gone:
        queue.remove(item)
    queue.push(Item("a", 10))
    queue.push(Item("b", 10))
    assert [queue.pop().caller for _ in range(3)] == ["b", "a", "b"]

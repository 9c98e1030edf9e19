"""Requests that outlive the replica of their engine."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import pytest

from engine import (
    Engine,
    EngineBackend,
    EngineDead,
    EngineOverloaded,
    GenerateRequest,
    GenerationFailed,
    ModelInfo,
    Structured,
    TokenDelta,
)
from gateway.policies.failover import Failover
from tests.engine.contract import EngineContract, collect, request
from tests.virtual_time import run_in_virtual_time


class MortalEngine:
    """Yields the deltas of an engine, and dies after so many of them, once for each of `deaths`."""

    def __init__(self, engine: Engine, *deaths: int, error: Exception | None = None) -> None:
        self._engine = engine
        self._deaths = list(deaths)
        self._error = error or EngineDead("It died.")
        self.requests: list[GenerateRequest] = []

    @property
    def model(self) -> ModelInfo:
        return self._engine.model

    async def check_health(self) -> None: ...

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[TokenDelta, None]:
        self.requests.append(request)
        left = self._deaths.pop(0) if self._deaths else None
        async for delta in self._engine.generate(request):
            if left == 0:
                raise self._error
            left = None if left is None else left - 1
            yield delta
            await asyncio.sleep(0)


class TestFailover(EngineContract):
    @pytest.fixture
    def engine(self, backend: EngineBackend) -> Engine:
        return Failover(backend, 5, lambda _: None)


class TestFailoverOverDeaths(EngineContract):
    @pytest.fixture
    def engine(self, backend: EngineBackend) -> Engine:
        return Failover(MortalEngine(backend, 3, 0, 2), 5, lambda _: None)


def text(deltas: list[TokenDelta]) -> str:
    return "".join(delta.text for delta in deltas)


@pytest.mark.parametrize("sampling", [{"temperature": 0.0}, {"temperature": 1.0, "seed": 7}])
async def test_the_text_and_its_usage_are_those_of_an_unbroken_run(
    backend: EngineBackend, sampling: dict[str, Any]
) -> None:
    counted: list[str] = []
    engine = Failover(MortalEngine(backend, 5, 0, 3), 5, counted.append)
    whole = await collect(backend.generate(request(**sampling)))
    broken = await collect(engine.generate(request(**sampling)))
    assert text(broken) == text(whole)
    assert broken[-1].usage == whole[-1].usage
    assert counted == ["resumes_total"] * 3


async def test_a_request_without_a_token_yet_is_sent_again(backend: EngineBackend) -> None:
    counted: list[str] = []
    structured = request(structured=Structured())
    engine = Failover(MortalEngine(backend, 0), 5, counted.append)
    assert (await collect(engine.generate(structured)))[-1].finish_reason
    assert counted == ["retries_total"]


STATEFUL: dict[str, dict[str, Any]] = {
    "structured": {"structured": Structured()},
    "stop strings": {"stop": ("zzz",)},
    "logprobs": {"logprobs": 1},
    "penalties": {"repetition_penalty": 1.1},
}


@pytest.mark.parametrize("sampling", STATEFUL.values(), ids=STATEFUL)
async def test_a_request_with_more_state_than_its_tokens_ends_with_the_replica(
    backend: EngineBackend, sampling: dict[str, Any]
) -> None:
    engine = Failover(MortalEngine(backend, 3), 5, lambda _: None)
    with pytest.raises(EngineDead):
        await collect(engine.generate(request(**sampling)))


class SeedKeeper(MortalEngine):
    """An engine whose seed is state that is lost with it, like vLLM's."""

    @property
    def model(self) -> ModelInfo:
        return replace(super().model, draws_by_position=False)


async def test_a_seed_is_lost_where_the_engine_does_not_draw_by_position(
    backend: EngineBackend,
) -> None:
    seeded = request(seed=7, temperature=1.0)
    with pytest.raises(EngineDead):
        await collect(Failover(SeedKeeper(backend, 3), 5, lambda _: None).generate(seeded))
    assert await collect(Failover(SeedKeeper(backend, 3), 5, lambda _: None).generate(request()))


async def test_a_stream_does_not_continue_from_half_a_character() -> None:
    class HalfEngine:
        model = ModelInfo(id="half", max_model_len=100)

        async def check_health(self) -> None: ...

        async def generate(self, _: GenerateRequest) -> AsyncGenerator[TokenDelta, None]:
            yield TokenDelta(text="a", token_ids=(1,))
            yield TokenDelta(token_ids=(2,))
            raise EngineDead("It died.")

    with pytest.raises(EngineDead):
        await collect(Failover(HalfEngine(), 5, lambda _: None).generate(request()))


async def test_other_errors_are_not_retried(backend: EngineBackend) -> None:
    mortal = MortalEngine(backend, 0, error=GenerationFailed("It failed."))
    with pytest.raises(GenerationFailed):
        await collect(Failover(mortal, 5, lambda _: None).generate(request()))
    assert len(mortal.requests) == 1


class DeadEngine:
    """Dies before its first delta, always; notes the times."""

    model = ModelInfo(id="dead", max_model_len=100)

    def __init__(self) -> None:
        self.times: list[float] = []

    async def check_health(self) -> None: ...

    async def generate(self, _: GenerateRequest) -> AsyncGenerator[TokenDelta, None]:
        self.times.append(asyncio.get_running_loop().time())
        raise EngineDead("It died.")
        yield


def test_retries_are_ever_further_apart_and_end_with_the_timeout() -> None:
    engine = DeadEngine()

    async def scenario() -> None:
        with pytest.raises(EngineDead):
            await collect(Failover(engine, 8, lambda _: None).generate(request()))

    run_in_virtual_time(scenario())
    assert engine.times == pytest.approx([0, 0.1, 0.3, 0.7, 1.5, 3.1, 5.1, 7.1])


class DiesAtTheEnd(MortalEngine):
    """Dies after its last delta, as a replica that is stopped just then."""

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[TokenDelta, None]:
        self.requests.append(request)
        async for delta in self._engine.generate(request):
            yield delta
        raise EngineDead("It died.")


async def test_a_stream_that_has_ended_is_not_resumed(backend: EngineBackend) -> None:
    engine = DiesAtTheEnd(backend)
    whole = await collect(Failover(engine, 5, lambda _: None).generate(request()))
    assert [delta.finish_reason for delta in whole][-1] == "length"
    assert len(engine.requests) == 1


class Full:
    """Rejects so many requests that come from another replica, then serves them."""

    def __init__(self, engine: Engine, rejections: int) -> None:
        self._engine = MortalEngine(engine, 3)
        self._rejections = rejections

    @property
    def model(self) -> ModelInfo:
        return self._engine.model

    async def check_health(self) -> None: ...

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[TokenDelta, None]:
        if request.emitted and self._rejections:
            self._rejections -= 1
            raise EngineOverloaded("It is full.", 0.1)
        async for delta in self._engine.generate(request):
            yield delta


async def test_a_stream_waits_until_another_replica_has_a_slot(backend: EngineBackend) -> None:
    whole = await collect(backend.generate(request()))
    resumed = Failover(Full(backend, 2), 5, lambda _: None)
    assert text(await collect(resumed.generate(request()))) == text(whole)


async def test_a_started_stream_does_not_end_with_another_replicas_rejection(
    backend: EngineBackend,
) -> None:
    with pytest.raises(EngineDead):
        await collect(Failover(Full(backend, 99), 0.5, lambda _: None).generate(request()))

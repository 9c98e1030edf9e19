"""Requests that outlive their engine, and deltas that grow before a border."""

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
    TokenLogprob,
)
from gateway.policies.coalescing import Coalescing
from gateway.policies.failover import Failover
from tests.engine.contract import EngineContract, collect, request


class MortalEngine:
    """Passes an engine's deltas on, and dies after so many of them, as often as it is told to."""

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


class TestResumed(EngineContract):
    @pytest.fixture
    def engine(self, backend: EngineBackend) -> Engine:
        return Failover(backend, 5, lambda _: None)


class TestResumedOverDeaths(EngineContract):
    @pytest.fixture
    def engine(self, backend: EngineBackend) -> Engine:
        return Failover(MortalEngine(backend, 3, 0, 2), 5, lambda _: None)


class TestCoalesced(EngineContract):
    @pytest.fixture
    def engine(self, backend: EngineBackend) -> Engine:
        return Coalescing(backend, 0.01)


def text(deltas: list[TokenDelta]) -> str:
    return "".join(delta.text for delta in deltas)


@pytest.mark.parametrize("sampling", [{"temperature": 0.0}, {"temperature": 1.0, "seed": 7}])
async def test_the_text_and_its_usage_are_those_of_an_unbroken_run(
    backend: EngineBackend, sampling: dict[str, Any]
) -> None:
    told: list[str] = []
    engine = Failover(MortalEngine(backend, 5, 0, 3), 5, told.append)
    whole = await collect(backend.generate(request(**sampling)))
    broken = await collect(engine.generate(request(**sampling)))
    assert text(broken) == text(whole)
    assert broken[-1].usage == whole[-1].usage
    assert told == ["resumes_total"] * 3


async def test_what_had_no_token_yet_is_begun_anew(backend: EngineBackend) -> None:
    told: list[str] = []
    structured = request(structured=Structured())
    engine = Failover(MortalEngine(backend, 0), 5, told.append)
    assert (await collect(engine.generate(structured)))[-1].finish_reason
    assert told == ["retries_total"]


ONCE: dict[str, dict[str, Any]] = {
    "structured": {"structured": Structured()},
    "stop strings": {"stop": ("zzz",)},
    "logprobs": {"logprobs": 1},
    "penalties": {"repetition_penalty": 1.1},
}


@pytest.mark.parametrize("sampling", ONCE.values(), ids=ONCE)
async def test_what_has_more_state_than_its_tokens_ends_with_the_death(
    backend: EngineBackend, sampling: dict[str, Any]
) -> None:
    engine = Failover(MortalEngine(backend, 3), 5, lambda _: None)
    with pytest.raises(EngineDead):
        await collect(engine.generate(request(**sampling)))


class SeedKeeper(MortalEngine):
    """An engine whose seed is a state that is lost with it, like vLLM's."""

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


async def test_half_a_character_is_not_gone_on_from() -> None:
    class HalfEngine:
        model = ModelInfo(id="half", max_model_len=100)

        async def check_health(self) -> None: ...

        async def generate(self, _: GenerateRequest) -> AsyncGenerator[TokenDelta, None]:
            yield TokenDelta(text="a", token_ids=(1,))
            yield TokenDelta(token_ids=(2,))
            raise EngineDead("It died.")

    with pytest.raises(EngineDead):
        await collect(Failover(HalfEngine(), 5, lambda _: None).generate(request()))


async def test_other_errors_are_not_tried_again(backend: EngineBackend) -> None:
    mortal = MortalEngine(backend, 0, error=GenerationFailed("It failed."))
    with pytest.raises(GenerationFailed):
        await collect(Failover(mortal, 5, lambda _: None).generate(request()))
    assert len(mortal.requests) == 1


async def test_it_is_tried_no_longer_than_it_is_told_to(backend: EngineBackend) -> None:
    mortal = MortalEngine(backend, *[0] * 50)
    with pytest.raises(EngineDead):
        await collect(Failover(mortal, 0.5, lambda _: None).generate(request()))
    assert 2 <= len(mortal.requests) <= 4


async def test_the_first_delta_is_not_held_back_and_the_others_grow(backend: EngineBackend) -> None:
    begun = asyncio.get_running_loop().time()
    stream = Coalescing(backend, 0.2).generate(request())
    first = await anext(stream)
    assert asyncio.get_running_loop().time() - begun < 0.1
    rest = await collect(stream)
    assert (len(first.token_ids), [len(delta.token_ids) for delta in rest]) == (1, [11])


def test_two_deltas_are_one_with_all_of_both() -> None:
    shown = TokenLogprob(token="b", logprob=-1.0)
    joined = TokenDelta(text="a", token_ids=(1,)) + TokenDelta(
        text="b", token_ids=(2,), logprobs=(shown,), finish_reason="stop"
    )
    assert (joined.text, joined.token_ids, joined.logprobs) == ("ab", (1, 2), (shown,))
    assert joined.finish_reason == "stop"


class TellsOnEnd(MortalEngine):
    """Dies after its last delta, as a replica does that is stopped just then."""

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[TokenDelta, None]:
        self.requests.append(request)
        async for delta in self._engine.generate(request):
            yield delta
        raise EngineDead("It died.")


async def test_a_stream_that_has_ended_does_not_go_on(backend: EngineBackend) -> None:
    engine = TellsOnEnd(backend)
    whole = await collect(Failover(engine, 5, lambda _: None).generate(request()))
    assert [delta.finish_reason for delta in whole][-1] == "length"
    assert len(engine.requests) == 1


class Full:
    """Refuses so many requests that come from another replica, then serves them."""

    def __init__(self, engine: Engine, refusals: int) -> None:
        self._engine = MortalEngine(engine, 3)
        self._refusals = refusals

    @property
    def model(self) -> ModelInfo:
        return self._engine.model

    async def check_health(self) -> None: ...

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[TokenDelta, None]:
        if request.emitted and self._refusals:
            self._refusals -= 1
            raise EngineOverloaded("It is full.", 0.1)
        async for delta in self._engine.generate(request):
            yield delta


async def test_a_stream_waits_until_another_replica_has_a_place(backend: EngineBackend) -> None:
    whole = await collect(backend.generate(request()))
    resumed = Failover(Full(backend, 2), 5, lambda _: None)
    assert text(await collect(resumed.generate(request()))) == text(whole)


async def test_another_replicas_refusal_is_not_told_to_a_stream_that_has_begun(
    backend: EngineBackend,
) -> None:
    with pytest.raises(EngineDead):
        await collect(Failover(Full(backend, 99), 0.5, lambda _: None).generate(request()))

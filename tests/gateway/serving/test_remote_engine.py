"""An engine in another process: its deltas, its errors as values, its ends; without Ray."""

import asyncio
import pickle
from collections.abc import AsyncGenerator, Awaitable, Set
from typing import Any

import pytest

from engine import (
    Engine,
    EngineBackend,
    EngineDead,
    EngineError,
    EngineOverloaded,
    GenerateRequest,
    Load,
    ModelInfo,
    Phase,
)
from gateway.serving.remote_engine import RemoteEngine, ReplicaState, Stream
from tests.engine.contract import EngineContract, collect, request

MODEL = ModelInfo(id="sim", max_model_len=0)


class LocalReplicas:
    """The replicas of a model, which share one engine of this process.

    A stream breaks after so many items: with an error, or with its end where there is none.
    """

    def __init__(self, engine: EngineBackend, breaks: int = -1, error: Any = None) -> None:
        self._engine = engine
        self._break = (breaks, error)
        self.polls = 0
        self.reported: list[ReplicaState] = []
        self.closed = 0

    async def generate(self, request: GenerateRequest, refused_by: Set[str]) -> Stream:
        left, error = self._break
        try:
            async for item in self._valued(request):
                if left == 0:
                    break
                left -= 1
                yield item
            if error is not None:
                raise error
        finally:
            self.closed += 1

    async def _valued(self, request: GenerateRequest) -> AsyncGenerator[Any, None]:
        try:
            async for delta in self._engine.generate(request):
                yield delta
        except EngineError as error:
            yield error

    async def states(self) -> list[ReplicaState]:
        self.polls += 1
        return self.reported

    def call(self, method: str, *arguments: Any) -> Awaitable[Any]:
        raise NotImplementedError

    def translate_error(self, error: Exception) -> Exception:
        return EngineDead("It is gone.")


def remote(replicas: LocalReplicas, *, scales_to_zero: bool = False) -> RemoteEngine:
    return RemoteEngine(MODEL, replicas, scales_to_zero=scales_to_zero)


def state(phase: Phase, running: int, waiting: int = 0, slots: int = 4) -> ReplicaState:
    model = ModelInfo(id="sim", max_model_len=len(phase))
    return ReplicaState(model, phase, Load(running=running, waiting=waiting, slots=slots))


class TestRemoteEngine(EngineContract):
    @pytest.fixture
    def engine(self, backend: EngineBackend) -> Engine:
        return remote(LocalReplicas(backend))


async def until(true: Any) -> None:
    for _ in range(300):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError


async def test_it_is_ready_if_any_replica_is_and_has_the_sum_of_their_loads(
    backend: EngineBackend,
) -> None:
    replicas = LocalReplicas(backend)
    replicas.reported = [state("dead", 0), state("ready", 3, 2), state("loading", 0, 0, 6)]
    engine = remote(replicas)
    await engine.start()
    assert engine.phase == "loading"
    await until(lambda: engine.phase == "ready")
    assert engine.load == Load(running=3, waiting=2, slots=14, replicas=3)
    assert engine.model == state("ready", 0).model
    await engine.close()


@pytest.mark.parametrize(("scales_to_zero", "phase"), [(True, "idle"), (False, "loading")])
async def test_without_a_replica_there_is_no_slot(
    backend: EngineBackend, scales_to_zero: bool, phase: Phase
) -> None:
    replicas = LocalReplicas(backend)
    engine = remote(replicas, scales_to_zero=scales_to_zero)
    await engine.start()
    await until(lambda: replicas.polls)
    assert (engine.phase, engine.model) == (phase, MODEL)
    assert engine.load == Load(running=0, waiting=0, slots=0, replicas=0)
    await engine.close()


class FullReplicas(LocalReplicas):
    """Replicas that are full but for one, which may be none of them; each waits longer."""

    def __init__(self, engine: EngineBackend, free: str) -> None:
        super().__init__(engine)
        self._free = free
        self.names = ["a", "b", "c"]
        self.reported = [state("ready", 1) for _ in self.names]
        self.refused_by: list[set[str]] = []

    def generate(self, request: GenerateRequest, refused_by: Set[str]) -> Stream:
        self.refused_by.append(set(refused_by))
        left = [name for name in self.names if name not in refused_by]
        if left[0] == self._free:
            return super().generate(request, refused_by)
        return self._refuse(left[0])

    async def _refuse(self, name: str) -> AsyncGenerator[Any, None]:
        error = EngineOverloaded("It is full.", 3.0 + self.names.index(name))
        error.replica = name
        yield pickle.loads(pickle.dumps(error))  # as between processes


async def test_a_request_that_replicas_refuse_is_offered_to_the_others(
    backend: EngineBackend,
) -> None:
    replicas = FullReplicas(backend, free="c")
    engine = remote(replicas)
    await engine.start()
    await until(lambda: engine.phase == "ready")
    assert (await collect(engine.generate(request())))[-1].finish_reason
    assert replicas.refused_by == [set(), {"a"}, {"a", "b"}]
    await engine.close()


async def test_where_all_replicas_refuse_the_shortest_wait_counts(backend: EngineBackend) -> None:
    replicas = FullReplicas(backend, free="none")
    engine = remote(replicas)
    await engine.start()
    await until(lambda: engine.phase == "ready")
    with pytest.raises(EngineOverloaded) as caught:
        await collect(engine.generate(request()))
    assert caught.value.retry_after == 3.0
    assert len(replicas.refused_by) == len(replicas.names)  # each once
    await engine.close()


async def test_an_error_that_comes_as_a_value_is_raised(backend: EngineBackend) -> None:
    class Full(LocalReplicas):
        async def _valued(self, request: GenerateRequest) -> AsyncGenerator[Any, None]:
            yield EngineOverloaded("It is full.", 2.0)

    with pytest.raises(EngineOverloaded):
        await collect(remote(Full(backend)).generate(request()))


ENDS = [RuntimeError("a broken wire"), asyncio.CancelledError(), None]


@pytest.mark.parametrize("error", ENDS, ids=lambda error: type(error).__name__)
async def test_a_stream_that_ends_too_early_is_a_dead_replica(
    backend: EngineBackend, error: Any
) -> None:
    replicas = LocalReplicas(backend, 3, error)
    with pytest.raises(EngineDead):
        await collect(remote(replicas).generate(request()))
    assert replicas.closed == 1


async def test_an_error_after_the_last_delta_is_ignored(backend: EngineBackend) -> None:
    whole = len(await collect(backend.generate(request())))
    replicas = LocalReplicas(backend, whole, RuntimeError("a broken wire"))
    assert (await collect(remote(replicas).generate(request())))[-1].finish_reason


async def test_closing_a_stream_closes_the_replicas(backend: EngineBackend) -> None:
    replicas = LocalReplicas(backend)
    engine = remote(replicas)
    stream = engine.generate(request(max_tokens=500))
    await anext(stream)
    await stream.aclose()
    assert replicas.closed == 1


class SlowReplicas(LocalReplicas):
    """Replicas that report their state when `report` is called."""

    def __init__(self, engine: EngineBackend) -> None:
        super().__init__(engine)
        self._answer: asyncio.Future[list[ReplicaState]] = (
            asyncio.get_running_loop().create_future()
        )

    async def states(self) -> list[ReplicaState]:
        self.polls += 1
        return await self._answer

    def report(self) -> None:
        self._answer.set_result([state("ready", 0)])


@pytest.mark.parametrize("reports", [False, True], ids=["before it comes", "as it comes"])
async def test_closing_ends_a_poll_that_waits_for_a_state(
    backend: EngineBackend, reports: bool
) -> None:
    before = asyncio.all_tasks()
    replicas = SlowReplicas(backend)
    engine = remote(replicas)
    await engine.start()
    await until(lambda: replicas.polls == 1)
    if reports:
        replicas.report()  # at the same moment: a cancellation must not get lost
    async with asyncio.timeout(2):
        await engine.close()
    assert engine.phase == "loading"
    assert asyncio.all_tasks() == before

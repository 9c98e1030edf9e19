"""An engine in another process: its deltas, its errors as values, its ends; without Ray."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from typing import Any

import pytest

from engine import (
    Engine,
    EngineBackend,
    EngineDead,
    EngineError,
    EngineOverloaded,
    GenerateRequest,
    ModelInfo,
    TokenDelta,
)
from gateway.serving.remote_engine import RemoteEngine, ReplicaState
from tests.engine.contract import EngineContract, collect, request

MODEL = ModelInfo(id="sim", max_model_len=0)


class LocalStream:
    """Items of a generator; breaks with an error after so many of them."""

    def __init__(self, items: AsyncGenerator[Any, None], breaks: int, error: Any) -> None:
        self._items = items
        self._left = breaks
        self._error = error
        self.cancelled = False

    def __aiter__(self) -> AsyncIterator[TokenDelta | EngineError]:
        return self

    async def __anext__(self) -> TokenDelta | EngineError:
        if self._left == 0 and self._error is not None:
            raise self._error
        self._left -= 1
        item: TokenDelta | EngineError = await anext(self._items)
        return item

    def cancel(self) -> None:
        self.cancelled = True
        self.closing = asyncio.ensure_future(self._items.aclose())


class LocalReplicas:
    """The replicas of a model, which are one engine of this process."""

    def __init__(self, engine: EngineBackend, breaks: int = -1, error: Any = None) -> None:
        self._engine = engine
        self._break = (breaks, error)
        self.running = 1
        self.calls = 0
        self.streams: list[LocalStream] = []

    def generate(self, request: GenerateRequest) -> LocalStream:
        self.streams.append(LocalStream(self._valued(request), *self._break))
        return self.streams[-1]

    async def _valued(self, request: GenerateRequest) -> AsyncGenerator[Any, None]:
        try:
            async for delta in self._engine.generate(request):
                yield delta
        except EngineError as error:
            yield error

    async def count(self) -> int:
        return self.running

    def call(self, method: str, *arguments: Any) -> Awaitable[Any]:
        self.calls += 1
        return self._state()

    async def _state(self) -> ReplicaState:
        return ReplicaState(self._engine.model, self._engine.phase, self._engine.load)

    def translate_error(self, error: Exception) -> Exception:
        return EngineDead("It is gone.")


def remote(replicas: LocalReplicas, *, scales_to_zero: bool = False) -> RemoteEngine:
    return RemoteEngine(MODEL, 4, replicas, scales_to_zero=scales_to_zero)


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


async def test_it_has_the_state_of_its_replica(backend: EngineBackend) -> None:
    engine = remote(LocalReplicas(backend))
    await engine.start()
    assert engine.phase == "loading"
    await until(lambda: engine.phase == "ready")
    assert engine.model.max_model_len == backend.model.max_model_len
    await engine.close()


async def test_where_no_replica_runs_none_is_called(backend: EngineBackend) -> None:
    replicas = LocalReplicas(backend)
    replicas.running = 0
    engine = remote(replicas, scales_to_zero=True)
    await engine.start()
    await until(lambda: engine.phase == "idle")
    await engine.close()
    assert replicas.calls == 0


async def test_an_error_that_comes_as_a_value_is_raised(backend: EngineBackend) -> None:
    class Full(LocalReplicas):
        async def _valued(self, request: GenerateRequest) -> AsyncGenerator[Any, None]:
            yield EngineOverloaded("It is full.", 2.0)

    with pytest.raises(EngineOverloaded):
        await collect(remote(Full(backend)).generate(request()))


ENDS = [RuntimeError("a broken wire"), asyncio.CancelledError(), StopAsyncIteration()]


@pytest.mark.parametrize("error", ENDS, ids=lambda error: type(error).__name__)
async def test_a_stream_that_ends_too_early_is_a_dead_replica(
    backend: EngineBackend, error: Any
) -> None:
    replicas = LocalReplicas(backend, 3, error)
    with pytest.raises(EngineDead):
        await collect(remote(replicas).generate(request()))
    assert replicas.streams[0].cancelled


async def test_an_error_after_the_last_delta_is_ignored(backend: EngineBackend) -> None:
    whole = len(await collect(backend.generate(request())))
    replicas = LocalReplicas(backend, whole, RuntimeError("a broken wire"))
    assert (await collect(remote(replicas).generate(request())))[-1].finish_reason


async def test_closing_a_stream_cancels_the_replicas(backend: EngineBackend) -> None:
    replicas = LocalReplicas(backend)
    engine = remote(replicas)
    stream = engine.generate(request(max_tokens=500))
    await anext(stream)
    assert engine.load.running == 1
    await stream.aclose()
    assert replicas.streams[0].cancelled
    assert engine.load.running == 0


class SlowReplicas(LocalReplicas):
    """Replicas that report their state when `report` is called."""

    def __init__(self, engine: EngineBackend) -> None:
        super().__init__(engine)
        self._reported: asyncio.Future[ReplicaState] = asyncio.get_running_loop().create_future()

    def call(self, method: str, *arguments: Any) -> Awaitable[Any]:
        self.calls += 1
        return self._reported

    def report(self) -> None:
        self._reported.set_result(
            ReplicaState(self._engine.model, self._engine.phase, self._engine.load)
        )


@pytest.mark.parametrize("reports", [False, True], ids=["before it comes", "as it comes"])
async def test_closing_ends_a_poll_that_waits_for_a_state(
    backend: EngineBackend, reports: bool
) -> None:
    before = asyncio.all_tasks()
    replicas = SlowReplicas(backend)
    engine = remote(replicas)
    await engine.start()
    await until(lambda: replicas.calls == 1)
    if reports:
        replicas.report()  # at the same moment: a cancellation must not get lost
    async with asyncio.timeout(2):
        await engine.close()
    assert engine.phase == "loading"
    assert asyncio.all_tasks() == before

"""The lifespan: an engine that fails in any way ends the server, and no cancel is lost."""

import asyncio
import gc
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import pytest

from engine import EngineBackend, EngineDead, TokenDelta, create_engine
from engine.simulated.engine import SimulatedEngine
from gateway.api.app import create_app
from gateway.api.streaming.primed_stream import PrimedStream
from gateway.config import AppConfig
from tests.conftest import simulated
from tests.virtual_time import run_in_virtual_time


class FailsToStart(SimulatedEngine):
    async def start(self) -> None:
        raise RuntimeError("no such device")


class FailsLater(SimulatedEngine):
    async def check_health(self) -> None:
        raise OSError("the device is gone")


async def death(config: AppConfig, backend: EngineBackend) -> EngineDead:
    """Return what the app reports of an engine that is dead."""
    dead: asyncio.Future[EngineDead] = asyncio.get_running_loop().create_future()
    app = create_app(config, {"sim": backend}, on_death=dead.set_result)
    async with app.router.lifespan_context(app):
        return await asyncio.wait_for(dead, 10)


@pytest.mark.parametrize(
    ("engine", "cause"), [(FailsToStart, "no such device"), (FailsLater, "the device is gone")]
)
def test_an_engine_that_raises_anything_is_dead_and_the_log_has_the_cause(
    engine: type[SimulatedEngine], cause: str, caplog: pytest.LogCaptureFixture
) -> None:
    config = simulated()
    options: Any = config.models[0].engine
    reported = run_in_virtual_time(death(config, engine("sim", options, options.device)))
    assert cause in str(reported)
    assert cause in caplog.text


async def cancelled_within(work: Callable[[], Awaitable[None]]) -> bool:
    """Return whether a cancel that comes while the work waits is passed on."""
    task = asyncio.ensure_future(work())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    return task.cancelled()


async def test_a_cancel_reaches_the_owner_of_an_engine_that_closes() -> None:
    engine = create_engine("sim", simulated().models[0].engine)
    await engine.start()
    await asyncio.sleep(0)
    assert await cancelled_within(engine.close)


async def test_a_cancel_reaches_the_owner_of_a_lifespan_that_ends() -> None:
    config = simulated()
    app = create_app(config, {"sim": create_engine("sim", config.models[0].engine)})
    lifespan = app.router.lifespan_context(app)
    await lifespan.__aenter__()
    await asyncio.sleep(0)
    assert await cancelled_within(lambda: lifespan.__aexit__(None, None, None))


async def test_a_cancel_reaches_the_reader_of_a_stream_that_closes() -> None:
    closed = asyncio.Event()

    async def silent() -> AsyncGenerator[tuple[int, TokenDelta], None]:
        try:
            await asyncio.Event().wait()
            yield 0, TokenDelta()
        finally:
            closed.set()

    stream = PrimedStream(silent())
    await asyncio.sleep(0)
    assert await cancelled_within(stream.aclose)
    assert closed.is_set()


async def test_a_first_delta_that_fails_after_the_reader_left_is_no_unread_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    failed = asyncio.Event()

    async def failing() -> AsyncGenerator[tuple[int, TokenDelta], None]:
        failed.set()
        raise EngineDead("The engine died.")
        yield 0, TokenDelta()

    stream = PrimedStream(failing())
    await failed.wait()
    assert stream.first.done()
    await stream.aclose()
    del stream
    gc.collect()
    assert not caplog.records

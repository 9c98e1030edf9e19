"""The app's lifespan: starts the engines, keeps the gauges, closes everything at the end."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Final

from fastapi import FastAPI

from engine import EngineBackend, EngineDead
from gateway.api.state import Gateway
from gateway.observe.gauges import poll_gauges

PERIOD_SECONDS: Final = 1.0
_log: Final = logging.getLogger(__name__)
OnDeath = Callable[[EngineDead], None]
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def wait_for_engines(app: FastAPI) -> AsyncGenerator[None, None]:
    """Start the engines before the app serves: Ray Serve waits, and checks their health itself."""
    async with _running(app) as backends:
        for backend in backends:
            await backend.start()
        yield


def supervise_engines(on_death: OnDeath) -> Lifespan:
    """Return the lifespan of an app that serves at once and starts its engines meanwhile."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
        async with _running(app) as backends:
            supervisor = asyncio.create_task(supervise(backends, on_death))
            try:
                yield
            finally:
                supervisor.cancel()
                await asyncio.gather(supervisor, return_exceptions=True)

    return lifespan


async def supervise(backends: Iterable[EngineBackend], on_death: OnDeath) -> None:
    """Start each engine, then check the health of all until one is dead, and report that one.

    An engine that raises something else is dead as well.
    """
    backends = list(backends)
    try:
        for backend in backends:
            await backend.start()
        while True:
            await asyncio.sleep(PERIOD_SECONDS)
            for backend in backends:
                await backend.check_health()
    except EngineDead as error:
        _log.error("%s", error)
        on_death(error)
    except Exception as error:  # noqa: BLE001 - none may end the supervisor unseen
        _log.exception("The engine failed")
        on_death(EngineDead("The engine failed.", repr(error)))


@asynccontextmanager
async def _running(app: FastAPI) -> AsyncGenerator[list[EngineBackend], None]:
    """Keep the gauges while the block runs; then close the engines, the tracer and the limiter."""
    gateway: Gateway = app.state.gateway
    async with AsyncExitStack() as closing:
        closing.push_async_callback(gateway.rate_limiter.close)
        if gateway.tracer is not None:
            closing.push_async_callback(asyncio.to_thread, gateway.tracer.close)
        for model in gateway.models:
            if model.waiting is not None:  # else its replica keeps them
                polling = poll_gauges(model.backend, model.waiting, gateway.meter)
                closing.callback(asyncio.create_task(polling).cancel)
        backends = [model.backend for model in gateway.models]
        for backend in backends:
            closing.push_async_callback(backend.close)
        yield backends

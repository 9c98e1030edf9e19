"""`create_app`: the routes, the error handlers, the lifespan of the engines."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, Request
from sse_starlette.sse import AppStatus
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from engine import EngineBackend, EngineDead, EngineError
from gateway.api import health, metrics, models, tokenize
from gateway.api.chat import router as chat
from gateway.api.completions import router as completions
from gateway.api.models import ModelRegistry
from gateway.api.responses import router as responses
from gateway.api.state import Gateway
from gateway.api.supervisor import supervise
from gateway.config import AppConfig, Cors, Limits, ModelConfig
from gateway.errors import ApiError, api_error
from gateway.keys.middleware import ApiKeyMiddleware
from gateway.keys.rate_limit import RateLimiter
from gateway.keys.store import KeyStore
from gateway.observe.access_log import AccessLogMiddleware
from gateway.observe.gauges import poll_gauges
from gateway.observe.metrics import Meter
from gateway.observe.prometheus import PrometheusMeter
from gateway.observe.traces import make_tracer
from gateway.policies.pipeline import EnginePipeline, engine_pipeline

EXPOSED: Final = (
    "x-request-id", "openai-processing-ms", "retry-after", "retry-after-ms", "x-should-retry",
    *(f"x-ratelimit-{what}-{kind}" for what in ("limit", "remaining", "reset")
      for kind in ("requests", "tokens")),
)  # fmt: skip
OTHER_MODELS: Final = ("/v1/embeddings", "/v1/audio/", "/v1/images/", "/v1/moderations")


def create_app(
    config: AppConfig,
    engines: Mapping[str, EngineBackend],
    *,
    behind_serve: bool = False,
    on_death: Callable[[EngineDead], None] = lambda _: None,
    meter: Meter | None = None,
    make_pipeline: Callable[
        [EngineBackend, ModelConfig, Limits, Meter], EnginePipeline
    ] = engine_pipeline,
) -> FastAPI:
    """Make the ASGI app over these engines; its lifespan starts and closes them.

    Behind Ray Serve it waits for the engines, and the request id's header is Serve's to set.
    Otherwise it serves at once, says how far they are, and tells `on_death` of the first to die.
    Without a meter the app shows its metrics itself.
    """
    # Streams end by themselves on SIGTERM; the server's own grace period bounds them.
    AppStatus.enable_automatic_graceful_drain = False
    app = FastAPI(
        title="neuron-gateway",
        lifespan=_awaiting if behind_serve else _supervising(on_death),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    shown = PrometheusMeter() if meter is None else meter
    served = ModelRegistry(
        engines,
        config,
        int(time.time()),
        lambda backend, model: make_pipeline(backend, model, config.limits, shown),
    )
    quota = RateLimiter(config.limits.rate_limit_storage)
    keys = KeyStore(Path(config.keys_file).expanduser()) if config.keys_file else None
    app.state.gateway = Gateway(
        config, engines, served, quota, shown, make_tracer(config.otlp_endpoint)
    )
    for module in (chat, completions, responses, models, tokenize, health):
        app.include_router(module.routes)
    if meter is None:
        app.include_router(metrics.routes)
    app.add_middleware(ApiKeyMiddleware, keys=keys, rate_limiter=quota)
    app.add_middleware(AccessLogMiddleware, sets_request_id=not behind_serve, meter=shown)
    if config.cors.allow_origins:
        app.add_middleware(CORSMiddleware, **_cors(config.cors))
    for error in (ApiError, EngineError):
        app.add_exception_handler(error, _answer)
    app.add_exception_handler(HTTPException, _unrouted)
    return app


def _cors(cors: Cors) -> dict[str, Any]:
    return {
        "allow_origins": cors.allow_origins,
        "allow_methods": ["GET", "POST"],
        "allow_headers": ["*"],  # the SDK sends a dozen of its own
        "expose_headers": EXPOSED,
    }


@asynccontextmanager
async def _awaiting(app: FastAPI) -> AsyncGenerator[None, None]:
    async with _closing(app) as backends:
        for backend in backends:
            await backend.start()
        yield


def _supervising(on_death: Callable[[EngineDead], None]) -> Any:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
        async with _closing(app) as backends:
            supervisor = asyncio.create_task(supervise(backends, on_death))
            try:
                yield
            finally:
                supervisor.cancel()
                with suppress(asyncio.CancelledError):
                    await supervisor

    return lifespan


@asynccontextmanager
async def _closing(app: FastAPI) -> AsyncGenerator[list[EngineBackend], None]:
    gateway: Gateway = app.state.gateway
    async with AsyncExitStack() as stack_:
        stack_.push_async_callback(gateway.quota.close)
        if gateway.tracer is not None:
            stack_.push_async_callback(asyncio.to_thread, gateway.tracer.close)
        for backend, waiting in gateway.models.local():
            looking = asyncio.create_task(poll_gauges(backend, waiting, gateway.meter))
            stack_.callback(looking.cancel)
        for backend in gateway.backends.values():
            stack_.push_async_callback(backend.close)
        yield list(gateway.backends.values())


async def _answer(_: Request, error: Exception) -> Response:
    return api_error(error).response()


async def _unrouted(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    what = f"{request.method} {request.url.path[:200]}"
    if error.status_code == 405:
        message, code = f"Method not allowed: {what}.", "method_not_supported"
        return ApiError(405, message, code=code, headers=error.headers).response()
    if request.url.path.startswith(OTHER_MODELS):
        message = f"{what} needs another kind of model; this gateway serves text generation."
        return ApiError(404, message).response()
    return ApiError(404, f"Unknown request URL: {what}. Check the path.").response()

"""`create_app`: the routes, the middleware, the error handlers, the lifespan of the engines."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from fastapi import FastAPI, Request
from fastapi.routing import APIRoute
from sse_starlette.sse import AppStatus
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from engine import EngineBackend, EngineDead, EngineError
from gateway.api import health, metrics, models, tokenize
from gateway.api.body.budget import BodyBudget
from gateway.api.chat import router as chat
from gateway.api.chat.response import ChatCompletionChunk
from gateway.api.completions import router as completions
from gateway.api.completions.response import Completion
from gateway.api.lifespan import supervise_engines, wait_for_engines
from gateway.api.openapi import document
from gateway.api.pages import docs, index
from gateway.api.paths import PathMiddleware, unknown_path, wrong_method
from gateway.api.registry import MakePipeline, ModelRegistry
from gateway.api.responses import router as responses
from gateway.api.responses.response import ResponseEvent
from gateway.api.state import Gateway
from gateway.config import AppConfig
from gateway.errors import ApiError, api_error
from gateway.keys.middleware import ApiKeyMiddleware
from gateway.keys.rate_limit import RateLimiter
from gateway.keys.store import KeyStore
from gateway.observe.access_log import AccessLogMiddleware
from gateway.observe.metrics import Meter
from gateway.observe.prometheus import PrometheusMeter
from gateway.observe.traces import Tracer
from gateway.policies.pipeline import engine_pipeline

ROUTES: Final = (chat, completions, responses, models, tokenize, health, index)
FRAMES: Final = (ChatCompletionChunk, Completion, ResponseEvent)  # of streamed answers
EXPOSED_HEADERS: Final = (
    "x-request-id", "x-ignored-fields", "openai-processing-ms", "retry-after", "retry-after-ms",
    "x-should-retry",
    *(f"x-ratelimit-{what}-{kind}" for what in ("limit", "remaining", "reset")
      for kind in ("requests", "tokens")),
)  # fmt: skip


def create_app(
    config: AppConfig,
    engines: Mapping[str, EngineBackend],
    *,
    behind_serve: bool = False,
    on_death: Callable[[EngineDead], None] = lambda _: None,
    meter: Meter | None = None,
    make_pipeline: MakePipeline = engine_pipeline,
    clock: Callable[[], float] = time.time,
) -> FastAPI:
    """Build the ASGI app over these engines; its lifespan starts and closes them.

    Behind Ray Serve it waits for the engines, and Serve sets the header of the request id.
    Otherwise it serves at once, shows how far they are, and reports the first to die to
    `on_death`. Without a meter the app shows its metrics at `/metrics`. The clock, in Unix seconds,
    tells the minutes of the limits of keys.
    """
    # Streams end by themselves on SIGTERM; the server's own grace period bounds them.
    AppStatus.disable_automatic_graceful_drain()  # type: ignore[no-untyped-call]
    gateway = _gateway(config, engines, meter or PrometheusMeter(), make_pipeline, clock)
    app = FastAPI(
        lifespan=wait_for_engines if behind_serve else supervise_engines(on_death),
        middleware=_middleware(gateway, sets_request_id=not behind_serve),
        exception_handlers={
            ApiError: _respond_to_error,
            EngineError: _respond_to_error,
            HTTPException: _respond_to_unknown_route,
        },
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.gateway = gateway
    for module in (*ROUTES, *((metrics,) if meter is None else ())):
        app.include_router(module.router)
    if config.docs:
        app.openapi = partial(document, app, FRAMES)  # type: ignore[method-assign]
        docs.add_docs(app)
    _answer_head(app)
    return app


def _answer_head(app: FastAPI) -> None:
    """Add HEAD to each GET route, as Starlette does to its own; the server leaves the body out."""
    for route in [route for route in app.routes if isinstance(route, APIRoute)]:
        if "GET" in route.methods:
            app.add_api_route(
                route.path, route.endpoint, methods=["HEAD"], response_model=None,
                include_in_schema=False,
            )  # fmt: skip


def _gateway(
    config: AppConfig,
    engines: Mapping[str, EngineBackend],
    meter: Meter,
    make_pipeline: MakePipeline,
    clock: Callable[[], float],
) -> Gateway:
    return Gateway(
        config=config,
        models=ModelRegistry(engines, config, make_pipeline, meter),
        rate_limiter=RateLimiter(config.limits.rate_limit_storage, clock),
        body_budget=BodyBudget(config.limits.max_body_bytes_in_flight),
        meter=meter,
        tracer=Tracer(config.otlp_endpoint) if config.otlp_endpoint else None,
    )


def _middleware(gateway: Gateway, *, sets_request_id: bool) -> list[Middleware]:
    """Return the middleware, outermost first."""
    config, meter = gateway.config, gateway.meter
    keys = KeyStore(Path(config.keys_file).expanduser()) if config.keys_file else None
    cors = Middleware(
        CORSMiddleware,
        allow_origins=config.cors.allow_origins,
        allow_methods=["GET", "POST"],
        allow_headers=["*"],  # the SDK sends a dozen of its own
        expose_headers=EXPOSED_HEADERS,
    )
    return [
        Middleware(PathMiddleware),
        *([cors] if config.cors.allow_origins else ()),
        Middleware(AccessLogMiddleware, sets_request_id=sets_request_id, meter=meter),
        Middleware(ApiKeyMiddleware, keys=keys, rate_limiter=gateway.rate_limiter),
    ]


async def _respond_to_error(_: Request, error: Exception) -> Response:
    return api_error(error).response()


async def _respond_to_unknown_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    refused = wrong_method(request) if error.status_code == 405 else unknown_path(request)
    return refused.response()

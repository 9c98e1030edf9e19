"""`/healthz`: the process lives. `/readyz`: its engines can serve, and how busy they are.

`/health`, `/ping` and `/version` are what programs made for vLLM and SageMaker ask for.
"""

from typing import Any, Final, Literal, NotRequired

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response
from typing_extensions import TypedDict

from engine import EngineBackend, EngineError, Phase
from gateway.api.registry import ServedModel
from gateway.api.state import gateway_of
from gateway.context import context_of
from gateway.version import VERSION

router = APIRouter(tags=["operations"])
_NOT_READY: Final[dict[int | str, dict[str, Any]]] = {503: {"description": "Not ready."}}
Status = Literal["ready", "loading", "dead"]


class ModelHealth(TypedDict):
    """A model's phase, its requests and slots, and why it is dead if it is.

    Under Ray Serve they are the sums of all running `replicas`, up to a second old.
    """

    phase: Phase
    running: int
    waiting: int
    slots: int
    replicas: int
    reason: NotRequired[str]


class Readiness(TypedDict):
    """Whether requests can be served; `models` is for callers with a key alone."""

    status: Status
    models: NotRequired[dict[str, ModelHealth]]


@router.get("/healthz", response_model=None, responses={200: {"model": dict[str, str]}})
async def healthz() -> dict[str, str]:
    """Return that this process answers."""
    return {"status": "ok"}


@router.get(
    "/readyz", response_model=None, responses={200: {"model": Readiness}, 503: {"model": Readiness}}
)
async def readyz(request: Request) -> Response:
    """Return whether requests can be served: 200, or 503 with each engine's phase and reason.

    Where there are keys, a request without one gets the status alone.
    """
    status = _status(request)
    body: Readiness = {"status": status}
    if context_of(request.scope).authenticated:
        body["models"] = {m.id: await _health(m) for m in gateway_of(request).models}
    return JSONResponse(body, 200 if status == "ready" else 503)


@router.get("/health", response_class=Response, responses=_NOT_READY)
@router.get("/ping", name="ping", response_class=Response, responses=_NOT_READY)
@router.post("/ping", name="post_ping", response_class=Response, responses=_NOT_READY)
async def health(request: Request) -> Response:
    """Return whether requests can be served, without a body: 200 or 503."""
    return Response(status_code=200 if _status(request) == "ready" else 503)


@router.get("/version", response_model=None, responses={200: {"model": dict[str, str]}})
async def version() -> dict[str, str]:
    """Return the gateway's version."""
    return {"version": VERSION}


async def _health(model: ServedModel) -> ModelHealth:
    load = model.load
    health: ModelHealth = {
        "phase": model.backend.phase,
        "running": load.running,
        "waiting": load.waiting,
        "slots": load.slots,
        "replicas": load.replicas,
    }
    if reason := await _death(model.backend):
        health["reason"] = reason
    return health


async def _death(backend: EngineBackend) -> str | None:
    """Return why an engine that was started is dead; None while it lives."""
    if backend.phase not in ("ready", "dead"):
        return None
    try:
        await backend.check_health()
    except EngineError as error:
        return str(error)
    return None


def _status(request: Request) -> Status:
    """Return the gateway's status: a model that loads must not keep the others from serving."""
    phases = [model.backend.phase for model in gateway_of(request).models]
    if "ready" in phases or "idle" in phases:
        return "ready"
    return "dead" if "dead" in phases else "loading"

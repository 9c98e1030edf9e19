"""`/healthz`: the process lives. `/readyz`: its engines can serve, and how busy they are."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from engine import EngineBackend, EngineError, Load, Phase
from gateway.api.state import gateway_of

routes = APIRouter()


@routes.get("/healthz")
async def healthz() -> dict[str, str]:
    """Say that this process answers."""
    return {"status": "ok"}


@routes.get("/readyz")
async def readyz(request: Request) -> Response:
    """Say whether requests can be served: 200, or 503 with the phase of each engine and why.

    Where there are keys, those who have none hear nothing but the status.
    """
    gateway = gateway_of(request)
    backends, served = gateway.backends, gateway.models
    models = {
        name: await _describe(backend, served.load(name)) for name, backend in backends.items()
    }
    status = _status([backend.phase for backend in backends.values()])
    shown = {} if request.scope.get("unauthenticated") else {"models": models}
    return JSONResponse({"status": status} | shown, 200 if status == "ready" else 503)


async def _describe(backend: EngineBackend, load: Load) -> dict[str, Any]:
    reason = await _death(backend)
    return {"phase": backend.phase} | asdict(load) | ({"reason": reason} if reason else {})


async def _death(backend: EngineBackend) -> str | None:
    """Ask an engine that was started for its health; say what it says if it is dead."""
    if backend.phase not in ("ready", "dead"):
        return None
    try:
        await backend.check_health()
    except EngineError as error:
        return str(error)
    return None


def _status(phases: list[Phase]) -> str:
    """Say how the gateway is: a model that loads must not keep the others from being asked."""
    if "ready" in phases or "idle" in phases:
        return "ready"
    return "dead" if "dead" in phases else "loading"

"""`/healthz`: the process lives. `/readyz`: its engines can serve, and how busy they are."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from engine import EngineDead, Leaf
from gateway.state import gateway_of

routes = APIRouter()


@routes.get("/healthz")
async def healthz() -> dict[str, str]:
    """Say that this process answers."""
    return {"status": "ok"}


@routes.get("/readyz")
async def readyz(request: Request) -> Response:
    """Say whether requests can be served: 200, or 503 with the phase of each engine."""
    leaves = gateway_of(request).leaves
    models = {name: _describe(leaf) for name, leaf in leaves.items()}
    status = await _status(list(leaves.values()))
    return JSONResponse({"status": status, "models": models}, 200 if status == "ready" else 503)


def _describe(leaf: Leaf) -> dict[str, Any]:
    return {"phase": leaf.phase} | asdict(leaf.load)


async def _status(leaves: list[Leaf]) -> str:
    if any(leaf.phase not in ("ready", "dead") for leaf in leaves):
        return "loading"
    try:
        for leaf in leaves:
            await leaf.check_health()
    except EngineDead:
        return "dead"
    return "ready"

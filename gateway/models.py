"""`GET /v1/models[/{id}]`, and which engine serves which name."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request

from engine import Engine
from gateway.errors import ApiError
from gateway.state import gateway_of

routes = APIRouter()


class Models:
    """The served models; `created` is the Unix time at which the gateway started."""

    def __init__(self, engines: Mapping[str, Engine], created: int) -> None:
        self._engines = dict(engines)
        self._created = created

    def engine(self, name: str) -> Engine:
        """Find the engine of a model; raises ApiError 404."""
        engine = self._engines.get(name)
        if engine is None:
            raise ApiError(
                404,
                "The requested model does not exist. GET /v1/models lists those that do.",
                code="model_not_found",
                param="model",
            )
        return engine

    def describe(self, name: str) -> dict[str, Any]:
        """Give a model as OpenAI shows it, with its context and what its engine cannot do."""
        model = self.engine(name).model
        return {
            "id": name,
            "object": "model",
            "created": self._created,
            "owned_by": "neuron-gateway",
            "max_model_len": model.max_model_len,
            "unsupported": sorted(model.unsupported),
        }

    def list(self) -> list[dict[str, Any]]:
        """Describe every model."""
        return [self.describe(name) for name in self._engines]


@routes.get("/v1/models")
async def list_models(request: Request) -> dict[str, Any]:
    """List the served models."""
    return {"object": "list", "data": gateway_of(request).models.list()}


@routes.get("/v1/models/{name:path}")
async def retrieve_model(request: Request, name: str) -> dict[str, Any]:
    """Describe one model; its id may contain slashes."""
    return gateway_of(request).models.describe(name)

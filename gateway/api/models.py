"""`GET /v1/models` and `/v1/models/{id}`."""

from typing import Literal

from fastapi import APIRouter, Request
from typing_extensions import TypedDict

from gateway.api.openapi import ERRORS
from gateway.api.registry import ModelBody, ModelRegistry
from gateway.api.state import gateway_of
from gateway.context import context_of

router = APIRouter(tags=["models"], responses=ERRORS)


class ModelList(TypedDict):
    """The models that a caller may use."""

    object: Literal["list"]
    data: list[ModelBody]


@router.get("/v1/models", response_model=None, responses={200: {"model": ModelList}})
async def list_models(request: Request) -> ModelList:
    """List the models that the caller may use."""
    models = gateway_of(request).models.for_caller(context_of(request.scope).caller)
    return {"object": "list", "data": [model.describe() for model in models]}


@router.get("/v1/models/{name:path}", response_model=None, responses={200: {"model": ModelBody}})
async def retrieve_model(request: Request, name: str) -> ModelBody:
    """Describe one model; its id may contain slashes."""
    models = gateway_of(request).models
    return models.find(_id(name, models), context_of(request.scope).caller).describe()


def _id(name: str, models: ModelRegistry) -> str:
    """Return the id that a path names, which has lost slashes that were too many for a path."""
    ids = [id_ for model in models for id_ in (model.id, *model.config.aliases)]
    short = {"/".join(filter(None, id_.split("/"))): id_ for id_ in ids}
    return name if name in ids else short.get(name, name)

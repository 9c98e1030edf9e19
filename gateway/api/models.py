"""`GET /v1/models[/{id}]`, and which engine serves which name."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request

from engine import Engine, EngineBackend, Load, ModelInfo, model_type
from gateway.api.state import gateway_of
from gateway.config import AppConfig, ModelConfig
from gateway.errors import ApiError
from gateway.keys.caller import caller_of
from gateway.parsing.tool_calls import default_family
from gateway.policies.pipeline import EnginePipeline

routes = APIRouter()


class ModelRegistry:
    """The served models; `created` is the Unix time at which the gateway started."""

    def __init__(
        self,
        backends: Mapping[str, EngineBackend],
        config: AppConfig,
        created: int,
        make_pipeline: Callable[[EngineBackend, ModelConfig], EnginePipeline],
    ) -> None:
        self._backends = dict(backends)
        self._configs = {model.id: _with_parser(model) for model in config.models}
        self._names = {n: model.id for model in config.models for n in (model.id, *model.aliases)}
        self._stacks = {
            name: make_pipeline(backend, self._configs[name]) for name, backend in backends.items()
        }
        self._created = created

    def id(self, name: str) -> str:
        """Find the id of a model by any of its names; raises ApiError 404."""
        if name not in self._names:
            raise ApiError(
                404,
                "The requested model does not exist. GET /v1/models lists those that do.",
                code="model_not_found",
                param="model",
            )
        return self._names[name]

    def engine(self, name: str) -> Engine:
        """Find the engine of a model; raises ApiError 404."""
        return self._stacks[self.id(name)].engine

    def backend(self, name: str) -> EngineBackend:
        """Find what makes a model's tokens, without the policies; raises ApiError 404."""
        return self._backends[self.id(name)]

    def load(self, name: str) -> Load:
        """Say how busy a model is: what waits for a place is in no slot yet."""
        load, waiting = self._backends[name].load, self._stacks[name].waiting
        return load if waiting is None else replace(load, waiting=load.waiting + waiting())

    def local(self) -> list[tuple[EngineBackend, Callable[[], int]]]:
        """List the engines whose queue is in this process, each with its count."""
        stacks = ((self._backends[name], stack.waiting) for name, stack in self._stacks.items())
        return [(backend, waiting) for backend, waiting in stacks if waiting is not None]

    def config(self, name: str) -> ModelConfig:
        """Give the config of a model that is served."""
        return self._configs[self.id(name)]

    def describe(self, name: str) -> dict[str, Any]:
        """Give a model as OpenAI shows it, with its phase, context and what it cannot do."""
        name = self.id(name)
        model, config = self._stacks[name].engine.model, self._configs[name]
        return (
            {
                "id": name,
                "object": "model",
                "created": self._created,
                "owned_by": "neuron-gateway",
                "phase": self._backends[name].phase,
                "max_model_len": model.max_model_len,
                "unsupported": sorted(model.unsupported),
            }
            | _in_part(model)
            | ({"aliases": list(config.aliases)} if config.aliases else {})
        )

    def list(self) -> list[dict[str, Any]]:
        """Describe every model."""
        return [self.describe(name) for name in self._stacks]


def model_info_from_config(config: ModelConfig) -> ModelInfo:
    """Return what the config says of a model whose engine is in another process."""
    return config.engine.device.describe(config.id, config.engine)


def _in_part(model: ModelInfo) -> dict[str, Any]:
    """Name what is honoured in part, where there is such a thing."""
    parts = {
        "max_prompt_len": model.max_prompt_len, "at_most": model.at_most, "fixed": model.fixed
    }  # fmt: skip
    return {name: part for name, part in parts.items() if part}


def _with_parser(config: ModelConfig) -> ModelConfig:
    """Choose the tool parser that the config backends open: by the model's family."""
    if config.tool_parser is not None:
        return config
    kind = model_type(Path(config.engine.model))
    return config.model_copy(update={"tool_parser": default_family(kind) if kind else "hermes"})


def served(request: Request, name: str) -> ModelRegistry:
    """Give the models if the caller may use this one; raises ApiError 404, the same for both."""
    models = gateway_of(request).models
    if not caller_of(request).may_use(models.id(name)):
        models.id("")  # which none has
    return models


@routes.get("/v1/models")
async def list_models(request: Request) -> dict[str, Any]:
    """List the models that the caller may use."""
    models, caller = gateway_of(request).models, caller_of(request)
    return {"object": "list", "data": [m for m in models.list() if caller.may_use(m["id"])]}


@routes.get("/v1/models/{name:path}")
async def retrieve_model(request: Request, name: str) -> dict[str, Any]:
    """Describe one model; its id may contain slashes."""
    return served(request, name).describe(name)

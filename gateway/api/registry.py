"""`ModelRegistry`: the served models, each with its engine; who may use which."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, NotRequired

from typing_extensions import TypedDict

from engine import (
    HINTS,
    Engine,
    EngineBackend,
    Load,
    Phase,
    TemplateSummary,
    model_type,
    summarize_template,
)
from gateway.caller import Caller
from gateway.config import AppConfig, Limits, ModelConfig
from gateway.errors import ApiError
from gateway.observe.metrics import Meter
from gateway.parsing.tool_calls import default_family
from gateway.policies.pipeline import EnginePipeline
from gateway.policies.tokenization import TokenizationQueue

MakePipeline = Callable[[EngineBackend, ModelConfig, Limits, Meter], EnginePipeline]
_NOT_FOUND: Final = ApiError(
    404,
    "The requested model does not exist. GET /v1/models lists those that do.",
    code="model_not_found",
    param="model",
)


class ModelBody(TypedDict):
    """A model as OpenAI shows it, with its phase, its context and what it cannot do.

    `at_most` and `fixed` are the highest and the only values of parameters. `unsupported` ones are
    refused, `ignored` ones are hints. `tools` is who writes them into the prompt, `weights` is a
    digest of the model's weights, where they are known.
    """

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    phase: Phase
    max_model_len: int
    unsupported: list[str]
    max_prompt_len: NotRequired[int]
    at_most: NotRequired[Mapping[str, float]]
    fixed: NotRequired[Mapping[str, float]]
    weights: NotRequired[str]
    ignored: NotRequired[list[str]]
    tools: NotRequired[str]
    aliases: NotRequired[list[str]]


@dataclass(frozen=True, slots=True)
class ServedModel:
    """One model: its config, what generates its tokens, and the engine that requests meet.

    `waiting` counts the requests in its queue; None where the queue is in another process.
    """

    config: ModelConfig
    backend: EngineBackend
    engine: Engine
    waiting: Callable[[], int] | None
    created: int
    tokenizations: TokenizationQueue
    template: TemplateSummary

    @property
    def id(self) -> str:
        """The name that the model is listed under."""
        return self.config.id

    @property
    def load(self) -> Load:
        """How busy the model is; what is in the queue is in no slot yet."""
        load = self.backend.load
        if self.waiting is None:
            return load
        return replace(load, waiting=load.waiting + self.waiting())

    def describe(self) -> ModelBody:
        """Return the model as `GET /v1/models` shows it."""
        model = self.engine.model
        body: ModelBody = {
            "id": self.id,
            "object": "model",
            "created": self.created,
            "owned_by": "neuron-gateway",
            "phase": self.backend.phase,
            "max_model_len": model.max_model_len,
            "unsupported": sorted(model.unsupported - HINTS),
        }
        partial: dict[str, Any] = {
            "max_prompt_len": model.max_prompt_len,
            "at_most": model.at_most,
            "fixed": model.fixed,
            "weights": model.weights,
            "ignored": sorted(self.template.unread_hints | (model.unsupported & HINTS)),
            "tools": self.config.tools or self.template.tools,
            "aliases": list(self.config.aliases),
        }
        return body | {name: value for name, value in partial.items() if value}  # type: ignore[return-value]


class ModelRegistry:
    """The served models; `created` of each is the Unix time at which the gateway started."""

    def __init__(
        self,
        backends: Mapping[str, EngineBackend],
        config: AppConfig,
        make_pipeline: MakePipeline,
        meter: Meter,
    ) -> None:
        created = int(time.time())
        self._models: dict[str, ServedModel] = {}
        self._names: dict[str, ServedModel] = {}
        for model in map(_with_tool_parser, config.models):
            backend = backends[model.id]
            pipeline = make_pipeline(backend, model, config.limits, meter)
            tokenizations = TokenizationQueue(config.limits)
            served = ServedModel(
                config=model,
                backend=backend,
                engine=pipeline.engine,
                waiting=pipeline.waiting,
                created=created,
                tokenizations=tokenizations,
                template=_template(model),
            )
            self._models[model.id] = served
            self._names |= dict.fromkeys((model.id, *model.aliases), served)

    def __iter__(self) -> Iterator[ServedModel]:
        return iter(self._models.values())

    def find(self, name: str | None, caller: Caller) -> ServedModel:
        """Return the model that any of its names is for; without a name, the only one.

        Raise ApiError 404 where there is none, or none that the caller may use.
        """
        if name is None:
            return self._only(caller)
        model = self._names.get(name)
        if model is None or not caller.may_use(model.id):
            raise _NOT_FOUND
        return model

    def _only(self, caller: Caller) -> ServedModel:
        models = self.for_caller(caller)
        if len(models) == 1:
            return models[0]
        raise ApiError(
            400,
            "Missing required parameter: 'model'. GET /v1/models lists those that are served.",
            code="missing_required_parameter",
            param="model",
        )

    def for_caller(self, caller: Caller) -> list[ServedModel]:
        """Return the models that the caller may use."""
        return [model for model in self._models.values() if caller.may_use(model.id)]


def _template(config: ModelConfig) -> TemplateSummary:
    """Return what the model's chat template can do, where it is on this machine."""
    path = config.engine.device.template_path(config.engine)
    if path is not None and path.exists():
        return summarize_template(path)
    return TemplateSummary(tools=None, unread_hints=frozenset(), text="")


def _with_tool_parser(config: ModelConfig) -> ModelConfig:
    """Choose the tool parser that the config leaves open: by the model's family."""
    if config.tool_parser is not None:
        return config
    kind = model_type(Path(config.engine.model))
    return config.model_copy(update={"tool_parser": default_family(kind) if kind else "hermes"})

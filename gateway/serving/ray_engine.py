"""The second hop under Ray Serve: a deployment for each model, and the handles that reach it."""

import asyncio
import functools
import logging
import math
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Final, TypeVar

import grpc
import ray
from ray import serve
from ray.exceptions import RayError, RayTaskError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError
from ray.serve.handle import DeploymentHandle

from engine import (
    RAY_STAT_LOGGER,
    Chat,
    EngineDead,
    EngineError,
    EngineOverloaded,
    GenerateRequest,
    GenerationFailed,
    TokenDelta,
    Tokens,
    create_engine,
)
from gateway.config import AppConfig, Limits, ModelConfig
from gateway.observe.gauges import poll_gauges
from gateway.observe.json_logging import configure as configure_logging
from gateway.observe.ray_metrics import RayMeter
from gateway.policies.admission import Admission
from gateway.policies.coalescing import Coalescing
from gateway.policies.pipeline import places
from gateway.serving.local_models import with_local_models
from gateway.serving.neuron_cores import with_accelerators
from gateway.serving.remote_engine import State, Stream

log = logging.getLogger(__name__)

BACK_SECONDS: Final = 1.0  # to come back in, where Serve itself refused
Answer = TypeVar("Answer")


def on_this_replica(config: AppConfig) -> AppConfig:
    """Give the config with what is known here alone: models, cores, vLLM's way to show figures."""
    # Nothing to fetch where the command did it; `serve deploy` comes here first.
    ids = ray.get_runtime_context().get_accelerator_ids()
    there = with_accelerators(with_local_models(config, log.info), ids)
    models = tuple(_with_statistics(model) for model in there.models)
    return there.model_copy(update={"models": models})


def _with_statistics(model: ModelConfig) -> ModelConfig:
    engine = model.engine
    if engine.stat_loggers is not None or not engine.device.reads_model:
        return model
    shown = engine.model_copy(update={"stat_loggers": (RAY_STAT_LOGGER,)})
    return model.model_copy(update={"engine": shown})


def errors_as_values(
    method: Callable[..., Awaitable[Answer]],
) -> Callable[..., Awaitable[Answer | EngineError]]:
    """Let an EngineError leave as a value: of what is raised Ray makes a log and a failure."""

    @functools.wraps(method)
    async def valued(*arguments: Any) -> Answer | EngineError:
        try:
            return await method(*arguments)
        except EngineError as error:
            return error

    return valued


class EngineReplica:
    """One engine of a model, and beside it the policy that knows its places."""

    async def __init__(self, config: AppConfig) -> None:  # type: ignore[misc] # as Serve allows
        configure_logging()
        (model,) = on_this_replica(config).models
        self._backend = create_engine(model.id, model.engine)
        self._admission = Admission(self._backend, places(model.engine.max_num_seqs, config.limits))
        self._engine = Coalescing(self._admission, config.limits.coalescing_window_seconds)
        await self._backend.start()
        self._looking = asyncio.create_task(
            poll_gauges(self._backend, lambda: self._admission.waiting, RayMeter())
        )

    async def generate(
        self, request: GenerateRequest
    ) -> AsyncGenerator[TokenDelta | EngineError, None]:
        """Stream a completion; an EngineError is its last item."""
        try:
            async with aclosing(self._engine.generate(request)) as deltas:
                async for delta in deltas:
                    yield delta
        except EngineError as error:
            yield error

    async def state(self) -> State:
        """Say how this replica is."""
        return State(self._backend.model, self._backend.phase, self._backend.load)

    @errors_as_values
    async def tokenize(self, text: str | Chat, special: bool) -> Tokens:
        """Give the tokens of a text or of a conversation."""
        return await self._backend.tokenize(text, add_special_tokens=special)

    @errors_as_values
    async def detokenize(self, token_ids: tuple[int, ...]) -> str:
        """Give the text of these tokens."""
        return await self._backend.detokenize(token_ids)

    async def check_health(self) -> None:
        """Ask the engine; whatever this raises makes Serve replace the replica."""
        await self._backend.check_health()

    async def __del__(self) -> None:
        """Close the engine; Serve calls this when it stops the replica."""
        if hasattr(self, "_backend"):
            await self._backend.close()


class ServeReplicas:
    """The replicas of one model, by gRPC: it costs less than Ray's own way of streaming."""

    def __init__(self, handle: "DeploymentHandle[Any]") -> None:
        self._handle = handle
        plain = {"request_serialization": "pickle", "response_serialization": "pickle"}
        self._streaming = handle.options(
            method_name="generate", stream=True, _by_reference=False, **plain
        )

    def generate(self, request: GenerateRequest) -> Stream:
        """Begin a completion at the replica that Serve chooses."""
        stream: Stream = self._streaming.remote(request)
        return stream

    async def count(self) -> int:
        """Count the replicas that run."""
        status = await asyncio.to_thread(serve.status)
        app = status.applications[self._handle.app_name]
        states = app.deployments[self._handle.deployment_name].replica_states
        return int(states.get("RUNNING", 0))

    def ask(self, what: str, *arguments: Any) -> Awaitable[Any]:
        """Call a method of a replica."""
        answer: Awaitable[Any] = self._handle.options(method_name=what).remote(*arguments)
        return answer

    def translate_error(self, error: Exception) -> Exception:
        """Say in our own words what Ray said; a replica that is gone is an engine that is dead."""
        if isinstance(error, BackPressureError):
            return EngineOverloaded("The model's replicas are full.", BACK_SECONDS)
        if isinstance(error, RayTaskError):
            log.error("A replica failed on a request: %s", error)
            return GenerationFailed("The engine failed on this request.")
        if isinstance(error, RayError | DeploymentUnavailableError | grpc.RpcError):
            log.warning("A replica is gone: %s", type(error).__name__)
            return EngineDead("The replica of this request is gone.")
        return error


def engine_deployment(model: ModelConfig, config: AppConfig) -> serve.Application:
    """Make the deployment of one model."""
    options = replica_options(model, config.limits)
    name = re.sub(r"[^A-Za-z0-9._-]", "_", model.id)
    alone = config.model_copy(update={"models": (model,)})
    return serve.deployment(name=name, **options)(EngineReplica).bind(alone)


def replica_options(model: ModelConfig, limits: Limits) -> dict[str, Any]:
    """Give Serve's options for what holds an engine."""
    return {
        # Far more than is served: what waits before a replica gets neither a ping nor a refusal.
        "max_ongoing_requests": 4096,
        "graceful_shutdown_timeout_s": math.ceil(limits.max_request_seconds) + 30,
        "graceful_shutdown_wait_loop_s": 0.5,
        # Serve replaces a replica after three failures in a row.
        "health_check_period_s": 1,
        "health_check_timeout_s": 30,
        "max_constructor_retry_count": 2,
        # The engine computes on the node's free cores: Ray must not ration a small machine.
        "ray_actor_options": {"num_cpus": 0, "resources": model.engine.device.resources()},
        **model.scaling(),
    }

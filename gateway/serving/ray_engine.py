"""The second hop under Ray Serve: a deployment for each model, and the handles that call it."""

import asyncio
import functools
import logging
import math
import random
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Set
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final, TypeVar

import grpc
import ray
from ray import serve
from ray.exceptions import RayError, RayTaskError
from ray.serve.exceptions import BackPressureError, RayServeException
from ray.serve.handle import DeploymentHandle
from ray.serve.request_router import FIFOMixin, PendingRequest, RequestRouter, RunningReplica

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
from gateway.policies.pipeline import admission_limits
from gateway.serving.environment import with_otlp_endpoint
from gateway.serving.local_models import with_local_models
from gateway.serving.neuron_cores import with_accelerators
from gateway.serving.ray_private import ask_all, route_handles_by, stream_by_grpc
from gateway.serving.remote_engine import REPLICA_DIED, RemoteEngine, ReplicaState, Stream

log = logging.getLogger(__name__)

RETRY_SECONDS: Final = 1.0  # where Serve rejected a request
STATE_TIMEOUT_SECONDS: Final = 5.0
Result = TypeVar("Result")


def config_on_replica(config: AppConfig) -> AppConfig:
    """Return the config with what only a replica knows.

    That is the folders of its models, its accelerators, vLLM's metrics, and the environment's
    endpoint for traces. Models are fetched here under `serve deploy`; otherwise the command has
    done it.
    """
    ids = ray.get_runtime_context().get_accelerator_ids()
    config = with_accelerators(with_local_models(config, log.info), ids)
    models = tuple(_with_stat_logger(model) for model in config.models)
    return with_otlp_endpoint(config.model_copy(update={"models": models}))


def _with_stat_logger(model: ModelConfig) -> ModelConfig:
    engine = model.engine
    if engine.stat_loggers is not None or not engine.device.reads_model:
        return model
    engine = engine.model_copy(update={"stat_loggers": (RAY_STAT_LOGGER,)})
    return model.model_copy(update={"engine": engine})


def errors_as_values(
    method: Callable[..., Awaitable[Result]],
) -> Callable[..., Awaitable[Result | EngineError]]:
    """Return an EngineError instead of raising it: Ray logs an exception and wraps it."""

    @functools.wraps(method)
    async def wrapped(*arguments: Any) -> Result | EngineError:
        try:
            return await method(*arguments)
        except EngineError as error:
            return error

    return wrapped


class EngineReplica:
    """One engine of a model, with the middleware that has to be in its process."""

    async def __init__(self, config: AppConfig) -> None:  # type: ignore[misc] # as Serve allows
        configure_logging()
        self.name = str(serve.get_replica_context().replica_id.unique_id)  # as routers know it
        self.config = config = config_on_replica(config)
        (model,) = config.models
        self.backend = create_engine(model.id, model.engine)
        limits = admission_limits(model.engine.max_num_seqs, config.limits)
        self.admission = Admission(self.backend, limits)
        self._engine = Coalescing(self.admission, config.limits.coalescing_window_seconds)
        self._polling = asyncio.create_task(
            poll_gauges(self.backend, lambda: self.admission.waiting, RayMeter())
        )
        await self.backend.start()

    async def generate(self, request: GenerateRequest, **_: object) -> Stream:
        """Yield the deltas of a completion; an EngineError is the last item and not raised.

        Other arguments are for the router.
        """
        try:
            async with aclosing(self._engine.generate(request)) as deltas:
                async for delta in deltas:
                    yield delta
        except EngineOverloaded as error:
            error.replica = self.name
            yield error
        except EngineError as error:
            yield error

    async def state(self) -> ReplicaState:
        """Return the state of this replica."""
        load = self.backend.load
        load = replace(load, waiting=load.waiting + self.admission.waiting)
        return ReplicaState(self.backend.model, self.backend.phase, load)

    @errors_as_values
    async def tokenize(self, text: str | Chat, special: bool) -> Tokens:
        """Return the tokens of a text or of a conversation."""
        return await self.backend.tokenize(text, add_special_tokens=special)

    @errors_as_values
    async def detokenize(self, token_ids: tuple[int, ...]) -> str:
        """Return the text of these tokens."""
        return await self.backend.detokenize(token_ids)

    async def check_health(self) -> None:
        """Check the engine; Serve replaces the replica if this raises."""
        await self.backend.check_health()

    async def __del__(self) -> None:
        """Close the engine; Serve awaits this when it stops the replica."""
        if hasattr(self, "_polling"):
            self._polling.cancel()
        if hasattr(self, "backend"):
            await self.backend.close()


class ServeReplicas:
    """The replicas of one model, reached by the handle of their deployment."""

    def __init__(self, handle: "DeploymentHandle[Any]") -> None:
        self._handle = handle
        self._streaming = stream_by_grpc(handle, "generate")

    async def generate(self, request: GenerateRequest, refused_by: Set[str]) -> Stream:
        """Yield the items of the replica that the router chooses."""
        stream = self._streaming.remote(request, refused_by=refused_by)
        try:
            async for item in stream:
                yield item
        finally:
            stream.cancel()

    async def states(self) -> list[ReplicaState]:
        """Return the states of the running replicas that answer; starts none."""
        try:
            answers = await ask_all(self._handle, "state", STATE_TIMEOUT_SECONDS)
        except RayServeException:  # there is no replica
            return []
        return [answer for answer in answers if isinstance(answer, ReplicaState)]

    def call(self, method: str, *arguments: Any) -> Awaitable[Any]:
        """Call a method of a replica."""
        result: Awaitable[Any] = self._handle.options(method_name=method).remote(*arguments)
        return result

    def translate_error(self, error: Exception) -> Exception:
        """Return an error of Ray as an EngineError; a replica that died is a dead engine."""
        if isinstance(error, BackPressureError):
            return EngineOverloaded("The model's replicas are full.", RETRY_SECONDS)
        if isinstance(error, RayTaskError):
            log.error("A replica failed on a request: %s", type(error.cause).__name__)
            return GenerationFailed("The engine failed on this request.")
        if isinstance(error, RayError | RayServeException | grpc.RpcError):
            log.warning("A replica died: %s", type(error).__name__)
            return EngineDead(REPLICA_DIED)
        return error


class PeerReplicas(ServeReplicas):
    """The replicas of one model, as one of them sees them; it answers calls itself."""

    def __init__(self, replica: EngineReplica) -> None:
        context = serve.get_replica_context()
        super().__init__(DeploymentHandle(context.deployment, context.app_name))
        self._replica = replica

    async def states(self) -> list[ReplicaState]:
        """Return the states of the running replicas; before Serve runs this one, its own."""
        return await super().states() or [await self._replica.state()]

    def call(self, method: str, *arguments: Any) -> Awaitable[Any]:
        """Call a method of this replica."""
        result: Awaitable[Any] = getattr(self._replica, method)(*arguments)
        return result


class ReplicaEngine(RemoteEngine):
    """The engine of this replica with its queue, and the other replicas where that is full."""

    def __init__(self, replica: EngineReplica) -> None:
        super().__init__(replica.backend.model, PeerReplicas(replica), scales_to_zero=False)
        self._replica = replica

    async def check_health(self) -> None:
        """Check the engine of this replica."""
        await self._replica.backend.check_health()

    def generate(self, request: GenerateRequest) -> AsyncGenerator[TokenDelta, None]:
        """Return the deltas of this replica, without a layer of its own."""
        return self._replica.admission.generate(request, self._offer_to_others)

    def _offer_to_others(
        self, request: GenerateRequest, refusal: EngineOverloaded
    ) -> AsyncGenerator[TokenDelta, None]:
        refusal.replica = self._replica.name
        return self.offer(request, [refusal])


class LeastLoadedRouter(FIFOMixin, RequestRouter):  # type: ignore[misc] # untyped
    """Chooses the replica with the fewest requests, of those that have not refused the request.

    By default a router finds a request by Ray's id, which the choices of a request share.
    """

    async def choose_replicas(
        self,
        candidate_replicas: list[RunningReplica],
        pending_request: PendingRequest | None = None,
    ) -> list[list[RunningReplica]]:
        """Return one rank; Serve takes the least busy of it, the first of several."""
        refused_by: Set[str] = frozenset()
        if pending_request is not None:
            pending_request.routing_context.should_backoff = True
            refused_by = pending_request.kwargs.get("refused_by", refused_by)
        others = [r for r in candidate_replicas if r.replica_id.unique_id not in refused_by]
        rank = others or candidate_replicas
        return [random.sample(rank, len(rank))]


def engine_deployment(model: ModelConfig, config: AppConfig) -> serve.Application:
    """Build the deployment of one model."""
    options = replica_options(model, config.limits)
    name = re.sub(r"[^A-Za-z0-9._-]", "_", model.id)
    of_model = config.model_copy(update={"models": (model,)})
    return serve.deployment(name=name, **options)(EngineReplica).bind(of_model)


def replica_options(model: ModelConfig, limits: Limits) -> dict[str, Any]:
    """Return Serve's options for a deployment that holds an engine."""
    return {
        "request_router_config": route_handles_by(LeastLoadedRouter),
        # More than a replica admits: a request in Serve's own queue gets neither ping nor 429.
        "max_ongoing_requests": 4096,
        "graceful_shutdown_timeout_s": math.ceil(limits.max_request_seconds) + 30,
        "graceful_shutdown_wait_loop_s": 0.5,
        # Serve replaces a replica after three failures in a row.
        "health_check_period_s": 1,
        "health_check_timeout_s": 30,
        "max_constructor_retry_count": 2,
        # The engine uses all CPUs of its node; reserving some would keep Ray off a small machine.
        "ray_actor_options": {"num_cpus": 0, "resources": model.engine.device.resources()},
        **model.scaling(),
    }

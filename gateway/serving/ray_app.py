"""The app under Ray Serve, with the engine in it (one hop) or in deployments behind it (two).

It has no `from __future__ import annotations`: Ray reads the annotation of `build_app`, and would
silently pass it a raw dict instead of a validated `AppConfig`.
"""

import logging
import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import ray
from fastapi import FastAPI
from ray import serve

from gateway.api.app import create_app
from gateway.config import AppConfig, ConfigError
from gateway.observe.json_logging import configure as configure_logging
from gateway.observe.ray_metrics import RayMeter
from gateway.policies.pipeline import ingress_pipeline, replica_pipeline
from gateway.serving import supervisor
from gateway.serving.environment import with_otlp_endpoint
from gateway.serving.neuron_cores import node_resources
from gateway.serving.ray_engine import (
    EngineReplica,
    ReplicaEngine,
    ServeReplicas,
    engine_deployment,
    replica_options,
)
from gateway.serving.ray_private import CLUSTER_RUNS, AppOnReplica, serve_runs
from gateway.serving.remote_engine import RemoteEngine

APP_NAME: Final = "gateway"
OBJECT_STORE_BYTES: Final = 80 * 2**20  # small: nothing large is passed between processes
STOP_SECONDS: Final = 10.0  # for the engine, after the last stream

log = logging.getLogger(__name__)

Report = Callable[[str], None]


class GatewayReplica(EngineReplica, AppOnReplica):
    """One hop: a replica holds the engine and the app over it."""

    def build_app(self) -> FastAPI:
        """Return the app over the engine of this replica, and the others where it is full."""
        engine = ReplicaEngine(self)
        return create_app(
            self.config,
            {engine.model.id: engine},
            behind_serve=True,
            meter=RayMeter(),
            make_pipeline=replica_pipeline,
        )


class GatewayIngress(AppOnReplica):
    """Two hops: the app over engines in deployments of their own."""

    def __init__(self, config: AppConfig, handles: dict[str, Any]) -> None:
        configure_logging()
        self._config = config = with_otlp_endpoint(config)
        self._engines = {
            model.id: RemoteEngine(
                model.engine.device.describe(model.id, model.engine),
                ServeReplicas(handles[model.id]),
                scales_to_zero=model.scales_to_zero,
            )
            for model in config.models
        }

    def build_app(self) -> FastAPI:
        """Return the app over the engines of other deployments."""
        return create_app(
            self._config,
            self._engines,
            behind_serve=True,
            meter=RayMeter(),
            make_pipeline=ingress_pipeline,
        )


def build_app(config: AppConfig) -> serve.Application:
    """Build the Serve application; Ray validates `args:` against the annotation."""
    if config.hops == 1:
        (model,) = config.models
        deployment = serve.deployment(**replica_options(model, config.limits))
        return deployment(serve.ingress()(GatewayReplica)).bind(config)
    handles = {model.id: engine_deployment(model, config) for model in config.models}
    deployment = serve.deployment(**_ingress_options(config))
    return deployment(serve.ingress()(GatewayIngress)).bind(config, handles)


def _ingress_options(config: AppConfig) -> dict[str, Any]:
    return {
        "num_replicas": config.ingress_replicas,
        "max_ongoing_requests": 4096,
        "graceful_shutdown_timeout_s": math.ceil(config.limits.max_request_seconds) + 30,
        "graceful_shutdown_wait_loop_s": 0.5,
        "ray_actor_options": {"num_cpus": 0},
    }


@contextmanager
def run(
    config: AppConfig, host: str, port: int, report: Report, *, metrics_port: int | None = None
) -> Iterator[None]:
    """Serve at host:port until the block ends; then stop what this started and nothing else.

    `report` is called with the name of each phase as it starts. Raises ConfigError where the
    engine does not start, or where the cluster runs Serve already.
    """
    with _ray(config, report, metrics_port), _serve(config, host, port, report):
        report(f"Load {', '.join(model.id for model in config.models)}")
        try:
            serve.run(build_app(config), name=APP_NAME, route_prefix="/")
        except RuntimeError as error:
            raise ConfigError(_start_failure()) from error
        yield
        report("Wait for streams to end (Ctrl-C stops at once)")


@contextmanager
def _ray(config: AppConfig, report: Report, metrics_port: int | None) -> Iterator[None]:
    report("Start Ray")
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    ours = {
        "object_store_memory": OBJECT_STORE_BYTES,
        "resources": node_resources(config),
        "_metrics_export_port": metrics_port,
    }
    with supervisor.start():
        try:
            ray.init(include_dashboard=False, **ours, **quiet)
        except ValueError as error:
            if CLUSTER_RUNS not in str(error):
                raise ConfigError(f"Ray did not start: {error}") from error
            ray.init(**quiet)  # its resources are its own
        signal.signal(signal.SIGTERM, _exit)  # Ray's own handler aborts the process
        try:
            yield
        finally:
            ray.shutdown()  # stops the cluster if it was started here, else disconnects


def _exit(*_: object) -> None:
    """Unwind as for Ctrl-C: wait for streams, then stop what was started here."""
    raise SystemExit(0)


@contextmanager
def _serve(config: AppConfig, host: str, port: int, report: Report) -> Iterator[None]:
    report(f"Start Ray Serve ({config.proxy} proxy)")
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    if serve_runs():
        raise ConfigError(
            "The Ray cluster runs Serve already, with a proxy of its own. Deploy to it with "
            "`serve deploy FILE`, or set RAY_ADDRESS=local to start a cluster beside it."
        )
    serve.start(proxy_location="HeadOnly", http_options={"host": host, "port": port})
    try:
        yield
    finally:
        _stop(config.limits.max_request_seconds + STOP_SECONDS)


def _stop(seconds: float) -> None:
    """Wait for streams and then the engine to end, at most so many seconds; then stop Serve."""
    deadline = time.monotonic() + seconds
    with suppress(TimeoutError):  # after a minute
        serve.delete(APP_NAME)
    while APP_NAME in serve.status().applications and time.monotonic() < deadline:
        time.sleep(0.1)
    if APP_NAME not in serve.status().applications:
        serve.shutdown()


def _start_failure() -> str:
    status = serve.status().applications.get(APP_NAME)
    deployments = status.deployments.values() if status else ()
    causes = [line for d in deployments for line in d.message.splitlines() if line.strip()]
    cause = causes[-1].strip() if causes else "no cause was given"
    return f"The engine did not start ({cause}). Ray's logs are in /tmp/ray/session_latest/logs."

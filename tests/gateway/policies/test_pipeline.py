"""The order in which a request passes the middleware."""

from collections.abc import Callable

import pytest

from engine import Engine, EngineBackend
from gateway.config import Limits, ModelConfig
from gateway.observe.metrics import Meter
from gateway.observe.prometheus import PrometheusMeter
from gateway.policies.admission import Admission
from gateway.policies.base import EngineMiddleware
from gateway.policies.deadline import Deadline
from gateway.policies.failover import Failover
from gateway.policies.pipeline import EnginePipeline, engine_pipeline, ingress_pipeline
from gateway.policies.supported_parameters import SupportedParameters

Build = Callable[[EngineBackend, ModelConfig, Limits, Meter], EnginePipeline]


@pytest.mark.parametrize(
    ("build", "order", "counts_its_queue"),
    [
        (engine_pipeline, [SupportedParameters, Deadline, Admission], True),
        (ingress_pipeline, [SupportedParameters, Deadline, Failover], False),
    ],
)
async def test_a_request_passes_the_middleware_in_this_order(
    backend: EngineBackend,
    build: Build,
    order: list[type[EngineMiddleware]],
    counts_its_queue: bool,
) -> None:
    pipeline = build(backend, ModelConfig(id="sim"), Limits(), PrometheusMeter())
    engine: Engine = pipeline.engine
    for middleware in order:
        assert isinstance(engine, middleware)
        engine = engine._engine
    assert engine is backend
    assert (None if pipeline.waiting is None else pipeline.waiting()) == (
        0 if counts_its_queue else None
    )

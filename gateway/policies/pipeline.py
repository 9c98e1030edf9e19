"""The middleware before an engine, and its order."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from engine import Engine, EngineBackend
from gateway.config import Limits, ModelConfig
from gateway.observe.metrics import Meter
from gateway.policies.admission import Admission, AdmissionLimits
from gateway.policies.deadline import Deadline
from gateway.policies.failover import Failover
from gateway.policies.supported_parameters import SupportedParameters


@dataclass(frozen=True, slots=True)
class EnginePipeline:
    """The engine that requests are sent to; `waiting` counts its queue.

    `waiting` is None where the queue is in another process.
    """

    engine: Engine
    waiting: Callable[[], int] | None


def engine_pipeline(
    backend: EngineBackend, model: ModelConfig, limits: Limits, _: Meter
) -> EnginePipeline:
    """Build the pipeline before an engine of this process."""
    return _pipeline(
        backend,
        # A request passes these from top to bottom.
        SupportedParameters,
        partial(Deadline, limits=limits),
        partial(Admission, limits=admission_limits(model.engine.max_num_seqs, limits)),
    )


def replica_pipeline(
    backend: EngineBackend, _model: ModelConfig, limits: Limits, _meter: Meter
) -> EnginePipeline:
    """Build the pipeline in a replica, before an engine that has its queue."""
    return _pipeline(backend, SupportedParameters, partial(Deadline, limits=limits))


def ingress_pipeline(
    backend: EngineBackend, model: ModelConfig, limits: Limits, meter: Meter
) -> EnginePipeline:
    """Build the pipeline before an engine of other processes, whose replicas it outlives."""
    count = partial(meter.add, labels={"model": model.id})
    return _pipeline(
        backend,
        SupportedParameters,
        partial(Deadline, limits=limits),
        partial(Failover, timeout_seconds=limits.failover_timeout_seconds, count=count),
    )


def _pipeline(backend: EngineBackend, *middleware: Callable[[Engine], Engine]) -> EnginePipeline:
    engine: Engine = backend
    waiting: Callable[[], int] | None = None
    for wrap in reversed(middleware):
        engine = wrap(engine)
        if isinstance(engine, Admission):
            waiting = _queue_length(engine)
    return EnginePipeline(engine, waiting)


def _queue_length(admission: Admission) -> Callable[[], int]:
    return lambda: admission.waiting


def admission_limits(slots: int, limits: Limits) -> AdmissionLimits:
    """Return the limits of an engine with so many slots.

    It gets a few more requests than it has slots, so that a free slot finds its next prompt.
    """
    return AdmissionLimits(
        slots + limits.engine_queue_depth, limits.max_queued, limits.queue_timeout_seconds
    )

"""Which policies stand before an engine, outermost first."""

from collections.abc import Callable
from dataclasses import dataclass

from engine import Engine, EngineBackend
from gateway.config import Limits, ModelConfig
from gateway.observe.metrics import Meter
from gateway.policies.admission import Admission, AdmissionLimits
from gateway.policies.deadline import Deadline, TimeLimits
from gateway.policies.failover import Failover
from gateway.policies.supported_parameters import SupportedParameters


@dataclass(frozen=True, slots=True)
class EnginePipeline:
    """The engine that requests meet; `waiting` counts its queue, None where that is elsewhere."""

    engine: Engine
    waiting: Callable[[], int] | None


def engine_pipeline(
    backend: EngineBackend, model: ModelConfig, limits: Limits, _: Meter
) -> EnginePipeline:
    """Put the policies before an engine of this process."""
    admission = Admission(backend, places(model.engine.max_num_seqs, limits))
    engine = SupportedParameters(Deadline(admission, time_limits(limits)))
    return EnginePipeline(engine, lambda: admission.waiting)


def ingress_pipeline(
    backend: EngineBackend, model: ModelConfig, limits: Limits, meter: Meter
) -> EnginePipeline:
    """Put those before an engine elsewhere that outlive its replicas."""
    label = {"model": model.id}
    resumed = Failover(
        backend, limits.failover_timeout_seconds, lambda name: meter.add(name, label)
    )
    return EnginePipeline(SupportedParameters(Deadline(resumed, time_limits(limits))), None)


def places(slots: int, limits: Limits) -> AdmissionLimits:
    """Give the places of an engine: its slots, and a few so that a free slot finds work."""
    return AdmissionLimits(
        slots + limits.engine_queue_depth, limits.max_queued, limits.queue_timeout_seconds
    )


def time_limits(limits: Limits) -> TimeLimits:
    """Give the time limits of a request."""
    return TimeLimits(
        limits.max_request_seconds, limits.ttft_timeout_seconds, limits.inter_token_timeout_seconds
    )

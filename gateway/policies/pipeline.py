"""Which policies stand before an engine, outermost first."""

from collections.abc import Callable
from dataclasses import dataclass

from engine import Engine, Leaf
from gateway.config import Limits, ModelConfig
from gateway.observe.metrics import Meter
from gateway.policies.admission import Admission, Places
from gateway.policies.deadline import Deadline, TimeLimits
from gateway.policies.failover import Resumed
from gateway.policies.supported_parameters import Capable


@dataclass(frozen=True, slots=True)
class Stack:
    """The engine that requests meet; `waiting` counts its queue, None where that is elsewhere."""

    engine: Engine
    waiting: Callable[[], int] | None


def stack(leaf: Leaf, model: ModelConfig, limits: Limits, _: Meter) -> Stack:
    """Put the policies before an engine of this process."""
    admission = Admission(leaf, places(model.engine.max_num_seqs, limits))
    engine = Capable(Deadline(admission, time_limits(limits)))
    return Stack(engine, lambda: admission.waiting)


def ingress_stack(leaf: Leaf, model: ModelConfig, limits: Limits, meter: Meter) -> Stack:
    """Put those before an engine elsewhere that outlive its replicas."""
    label = {"model": model.id}
    resumed = Resumed(leaf, limits.resume_seconds, lambda name: meter.add(name, label))
    return Stack(Capable(Deadline(resumed, time_limits(limits))), None)


def places(slots: int, limits: Limits) -> Places:
    """Give the places of an engine: its slots, and a few so that a free slot finds work."""
    return Places(slots + limits.places_ahead, limits.max_queued, limits.queue_seconds)


def time_limits(limits: Limits) -> TimeLimits:
    """Give the time limits of a request."""
    return TimeLimits(limits.max_seconds, limits.first_token_seconds, limits.stall_seconds)

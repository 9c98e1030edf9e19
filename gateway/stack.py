"""Which policies stand before an engine, outermost first."""

from dataclasses import dataclass

from engine import Engine
from gateway.admission import Admission, Places
from gateway.capability import Capable
from gateway.config import Limits
from gateway.deadline import Deadline, TimeLimits


@dataclass(frozen=True, slots=True)
class Stack:
    """The engine that requests meet, and the policy in it that knows who waits."""

    engine: Engine
    admission: Admission


def stack(leaf: Engine, slots: int, limits: Limits) -> Stack:
    """Put the policies before an engine of so many slots."""
    admission = Admission(leaf, places(slots, limits))
    return Stack(Capable(Deadline(admission, time_limits(limits))), admission)


def places(slots: int, limits: Limits) -> Places:
    """Give the places of an engine: its slots, and a few so that a free slot finds work."""
    return Places(slots + limits.places_ahead, limits.max_queued, limits.queue_seconds)


def time_limits(limits: Limits) -> TimeLimits:
    """Give the time limits of a request."""
    return TimeLimits(limits.max_seconds, limits.first_token_seconds, limits.stall_seconds)

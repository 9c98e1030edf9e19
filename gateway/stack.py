"""Which policies stand before an engine, outermost first."""

from engine import Engine
from gateway.admission import Admission, Places
from gateway.capability import Capable
from gateway.config import Limits
from gateway.deadline import Deadline, TimeLimits


def stack(engine: Engine, slots: int, limits: Limits) -> Engine:
    """Put the policies before an engine of so many slots."""
    return Capable(Deadline(Admission(engine, places(slots, limits)), time_limits(limits)))


def places(slots: int, limits: Limits) -> Places:
    """Give the places of an engine: its slots, and a few so that a free slot finds work."""
    return Places(slots + limits.places_ahead, limits.max_queued, limits.queue_seconds)


def time_limits(limits: Limits) -> TimeLimits:
    """Give the time limits of a request."""
    return TimeLimits(limits.max_seconds, limits.first_token_seconds, limits.stall_seconds)

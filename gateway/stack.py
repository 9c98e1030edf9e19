"""Which policies stand before an engine, outermost first."""

from engine import Engine
from gateway.capability import Capable


def stack(engine: Engine) -> Engine:
    """Put the policies before an engine."""
    return Capable(engine)

"""What is measured by looking: the queue, the slots and the phase of every engine."""

import asyncio
from collections.abc import Callable
from typing import Final, get_args

from engine import EngineBackend, Phase
from gateway.observe.metrics import Meter

PERIOD_SECONDS: Final = 1.0


async def poll_gauges(backend: EngineBackend, waiting: Callable[[], int], meter: Meter) -> None:
    """Look at an engine once a second until cancelled; `waiting` counts those before it."""
    while True:
        set_gauges(backend, waiting(), meter)
        await asyncio.sleep(PERIOD_SECONDS)


def set_gauges(backend: EngineBackend, waiting: int, meter: Meter) -> None:
    """Set the gauges of an engine."""
    load, label = backend.load, {"model": backend.model.id}
    meter.set("running", label, load.running)
    meter.set("waiting", label, load.waiting + waiting)
    meter.set("slots", label, load.slots)
    meter.set("slots_free", label, load.slots - load.running)
    for phase in get_args(Phase):
        meter.set("phase", label | {"phase": phase}, float(backend.phase == phase))

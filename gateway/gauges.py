"""What is measured by looking: the queue, the slots and the phase of every engine."""

import asyncio
from typing import Final, get_args

from engine import Phase
from gateway.metrics import Meter
from gateway.models import Models

PERIOD_SECONDS: Final = 1.0


async def watch(models: Models, meter: Meter) -> None:
    """Look once a second until cancelled."""
    while True:
        look(models, meter)
        await asyncio.sleep(PERIOD_SECONDS)


def look(models: Models, meter: Meter) -> None:
    """Set the gauges of every model."""
    for name in models.names():
        load, label = models.load(name), {"model": name}
        meter.set("running", label, load.running)
        meter.set("waiting", label, load.waiting)
        meter.set("slots", label, load.slots)
        meter.set("slots_free", label, load.slots - load.running)
        for phase in get_args(Phase):
            here = models.leaf(name).phase == phase
            meter.set("phase", label | {"phase": phase}, float(here))

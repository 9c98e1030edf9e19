"""What is measured by looking: the queue, the slots and the phase of every engine."""

import asyncio
from collections.abc import Callable
from typing import Final, get_args

from engine import Leaf, Phase
from gateway.observe.metrics import Meter

PERIOD_SECONDS: Final = 1.0


async def look_on(leaf: Leaf, waiting: Callable[[], int], meter: Meter) -> None:
    """Look at an engine once a second until cancelled; `waiting` counts those before it."""
    while True:
        look(leaf, waiting(), meter)
        await asyncio.sleep(PERIOD_SECONDS)


def look(leaf: Leaf, waiting: int, meter: Meter) -> None:
    """Set the gauges of an engine."""
    load, label = leaf.load, {"model": leaf.model.id}
    meter.set("running", label, load.running)
    meter.set("waiting", label, load.waiting + waiting)
    meter.set("slots", label, load.slots)
    meter.set("slots_free", label, load.slots - load.running)
    for phase in get_args(Phase):
        meter.set("phase", label | {"phase": phase}, float(leaf.phase == phase))

"""Gauges: the queue, the slots and the phase of every engine, read once a second."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final, get_args

from engine import EngineBackend, Phase
from gateway.observe.metrics import Meter

PERIOD_SECONDS: Final = 1.0
_log: Final = logging.getLogger(__name__)


async def poll_gauges(backend: EngineBackend, waiting: Callable[[], int], meter: Meter) -> None:
    """Set the gauges of an engine once a second until cancelled; `waiting` counts its queue.

    A failure is logged once, and again after a success.
    """
    failed = False
    while True:
        try:
            set_gauges(backend, waiting(), meter)
            failed = False
        except Exception:  # noqa: BLE001 - whatever it is, it must not end the gauges
            if not failed:
                _log.exception("The gauges of %s cannot be set", backend.model.id)
            failed = True
        await asyncio.sleep(PERIOD_SECONDS)


def set_gauges(backend: EngineBackend, waiting: int, meter: Meter) -> None:
    """Set the gauges of an engine; `waiting` requests are queued before it."""
    load, label = backend.load, {"model": backend.model.id}
    meter.set("requests_running", label, load.running)
    meter.set("requests_waiting", label, load.waiting + waiting)
    meter.set("slots", label, load.slots)
    meter.set("slots_free", label, load.slots - load.running)
    for phase in get_args(Phase):
        meter.set("phase", label | {"phase": phase}, float(backend.phase == phase))

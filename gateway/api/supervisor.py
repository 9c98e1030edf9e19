"""`supervise`: starts the engines beside a plain server, and reports the first that dies.

Under Ray Serve this is Serve's part: it waits for the start and asks for health.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final

from engine import EngineBackend, EngineDead

PERIOD_SECONDS: Final = 1.0
_log: Final = logging.getLogger(__name__)


async def supervise(
    backends: Iterable[EngineBackend], on_death: Callable[[EngineDead], None]
) -> None:
    """Start each engine, then ask all of them for their health until one is dead."""
    backends = list(backends)
    try:
        for backend in backends:
            await backend.start()
        while True:
            await asyncio.sleep(PERIOD_SECONDS)
            for backend in backends:
                await backend.check_health()
    except EngineDead as error:
        _log.error("%s", error)
        on_death(error)

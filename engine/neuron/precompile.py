"""`precompile`: compiled artifacts for an engine, before any request waits for it."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from engine.neuron.device import Neuron
from engine.neuron.engine import NeuronEngine
from engine.options import EngineOptions

_POLL_SECONDS: Final = 0.1


async def precompile(
    model_id: str, options: EngineOptions, device: Neuron, report: Callable[[str], None]
) -> Path:
    """Return the folder of an engine's artifacts, compiled where they do not exist.

    `report` gets each phase. Needs the device, since the plugin compiles when the engine starts.
    Raises EngineDead where that fails, and leaves no partial artifacts.
    """
    compiling = device.model_copy(update={"compile": "allowed"})
    engine = NeuronEngine(model_id, options, compiling)
    if not engine.artifacts.exists:
        try:
            await _start(engine, report)
        finally:
            await engine.close()
    return engine.artifacts.folder


async def _start(engine: NeuronEngine, report: Callable[[str], None]) -> None:
    starting = asyncio.create_task(engine.start())
    phase = None
    while not starting.done():
        if engine.phase != phase:
            phase = engine.phase
            report(phase)
        await asyncio.wait({starting}, timeout=_POLL_SECONDS)
    await starting

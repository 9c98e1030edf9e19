"""`precompile`: compiled artifacts for an engine, before any request waits for it."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from engine.config import EngineConfig
from engine.neuron.device import Neuron
from engine.neuron.engine import NeuronEngine

_POLL_SECONDS: Final = 0.1


async def precompile(model_id: str, config: EngineConfig, report: Callable[[str], None]) -> Path:
    """Return the folder of an engine's artifacts, compiled where they do not exist.

    `report` gets each phase. Needs the device, since the plugin compiles when the engine starts.
    Raises EngineDead where that fails, and leaves no partial artifacts.
    """
    assert isinstance(config.device, Neuron)
    device = config.device.model_copy(update={"compile": "allowed"})
    engine = NeuronEngine(model_id, config.model_copy(update={"device": device}))
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

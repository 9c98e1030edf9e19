"""`precompile`: compiled artifacts for an engine, made before anyone waits for it."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from engine.config import EngineConfig
from engine.neuron.device import Neuron
from engine.neuron.engine import NeuronEngine

_POLL_SECONDS = 0.1


async def precompile(model_id: str, config: EngineConfig, report: Callable[[str], None]) -> Path:
    """Compile what an engine loads, unless it is there, and give its folder.

    `report` is told of every phase. Needs the device, since the plugin compiles at a start of the
    engine; raises EngineDead where that fails, and backends nothing behind then.
    """
    assert isinstance(config.device, Neuron)
    device = config.device.model_copy(update={"compile": "allowed"})
    engine = NeuronEngine(model_id, config.model_copy(update={"device": device}))
    if not engine.artifacts.there:
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

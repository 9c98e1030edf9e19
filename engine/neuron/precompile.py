"""`precompile`: compiled artifacts for an engine, before any request waits for it."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from engine.neuron.artifacts import weight_bytes
from engine.neuron.catalogue import GIB
from engine.neuron.device import Neuron
from engine.neuron.engine import NeuronEngine
from engine.options import EngineOptions

_POLL_SECONDS: Final = 0.1


async def precompile(
    model_id: str, options: EngineOptions, device: Neuron, report: Callable[[str], None]
) -> Path:
    """Return the folder of an engine's artifacts, compiled where they do not exist.

    `report` gets each phase. Damaged artifacts are compiled again. Needs the device, since the
    plugin compiles when the engine starts. Raises EngineDead where that fails, and leaves no
    partial artifacts.
    """
    compiling = device.model_copy(update={"compile": "allowed"})
    engine = NeuronEngine(model_id, options, compiling)
    report(f"hashing {weight_bytes(Path(options.model)) / GIB:.1f} GiB of weights")
    artifacts = await asyncio.to_thread(lambda: engine.artifacts)
    if damage := await asyncio.to_thread(artifacts.damage):
        report(damage)
        artifacts.remove()
    if not artifacts.exists:
        try:
            await _start(engine, report)
        finally:
            await engine.close()
    return artifacts.folder


async def _start(engine: NeuronEngine, report: Callable[[str], None]) -> None:
    starting = asyncio.create_task(engine.start())
    phase = None
    while not starting.done():
        if engine.phase != phase:
            phase = engine.phase
            report(phase)
        await asyncio.wait({starting}, timeout=_POLL_SECONDS)
    await starting

"""An engine whose deltas come at known times, for tests in virtual time."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from engine import EngineBackend, EngineConfig, Simulated, create_engine
from tests.serving import STEADY


@asynccontextmanager
async def steady_engine(**device: Any) -> AsyncGenerator[EngineBackend, None]:
    """Run a simulated engine: the first token comes at once, each further one after 20 ms."""
    simulated = Simulated.model_validate(STEADY | device)
    engine = create_engine("sim", EngineConfig(max_num_seqs=4, device=simulated))
    await engine.start()
    try:
        yield engine
    finally:
        await engine.close()

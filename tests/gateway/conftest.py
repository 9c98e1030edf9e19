"""An engine that policies can stand before."""

from collections.abc import AsyncGenerator

import pytest

from engine import EngineBackend, EngineConfig, Simulated, create_engine


@pytest.fixture
async def backend() -> AsyncGenerator[EngineBackend, None]:
    """A simulated engine of four slots, as fast as it goes."""
    device = Simulated(kind="simulated", time_scale=0)
    engine = create_engine("sim", EngineConfig(max_num_seqs=4, device=device))
    await engine.start()
    yield engine
    await engine.close()

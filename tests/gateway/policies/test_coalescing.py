"""Deltas that grow before a process border."""

import asyncio

import pytest

from engine import Engine, EngineBackend
from gateway.policies.coalescing import Coalescing
from tests.engine.contract import EngineContract, collect, request
from tests.gateway.policies.engines import steady_engine
from tests.virtual_time import run_in_virtual_time


class TestCoalescing(EngineContract):
    @pytest.fixture
    def engine(self, backend: EngineBackend) -> Engine:
        return Coalescing(backend, 0.01)


@pytest.mark.parametrize(
    ("window", "sizes"), [(0.001, [1] * 12), (0.052, [1, 2, 3, 2, 3, 1]), (0.19, [1, 9, 2])]
)
def test_the_first_delta_is_not_delayed_and_the_others_grow(
    window: float, sizes: list[int]
) -> None:
    async def scenario() -> None:
        async with steady_engine() as engine:
            deltas = Coalescing(engine, window).generate(request())
            first = await anext(deltas)
            assert asyncio.get_running_loop().time() == 0
            grown = [first, *await collect(deltas)]
            assert [len(delta.token_ids) for delta in grown] == sizes

    run_in_virtual_time(scenario())

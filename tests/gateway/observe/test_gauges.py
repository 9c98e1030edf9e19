"""The gauges of an engine: one failure does not end them."""

import asyncio
from collections.abc import Mapping

import pytest

from gateway.observe.gauges import PERIOD_SECONDS, poll_gauges
from gateway.observe.prometheus import PrometheusMeter
from tests.gateway.policies.engines import steady_engine
from tests.virtual_time import run_in_virtual_time


class Flaky(PrometheusMeter):
    """A meter that fails for some seconds."""

    failures = 3

    def set(self, name: str, labels: Mapping[str, str], value: float) -> None:
        if self.failures:
            self.failures -= 1
            raise ConnectionError("the agent of the node is gone")
        super().set(name, labels, value)


def test_gauges_are_set_again_after_failures_which_are_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    meter = Flaky()

    async def run() -> None:
        async with steady_engine() as engine:
            task = asyncio.create_task(poll_gauges(engine, lambda: 2, meter))
            await asyncio.sleep(4.5 * PERIOD_SECONDS)
            task.cancel()

    run_in_virtual_time(run())
    assert b'requests_waiting{model="sim"} 2.0' in meter.exposition()
    assert [record.message for record in caplog.records] == ["The gauges of sim cannot be set"]

"""The counts of a minute, in memory and in a Redis."""

import socket

import pytest

from gateway.keys.counters import Counters


async def test_a_late_refund_does_not_reach_the_next_minute(redis_url: str) -> None:
    counters = Counters(f"{redis_url}/14")
    await counters.add("tokens", "late", 1000, 900)
    await counters.add("tokens", "late", 1000, -900)
    assert await counters.used("tokens", "late", 1001) == 0
    await counters.close()


async def test_a_storage_that_cannot_be_reached_counts_nothing_and_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    counters = Counters(f"redis://127.0.0.1:{port}")
    assert [await counters.add("tokens", "a", 1000, 5) for _ in range(3)] == [None] * 3
    assert [record.message[:40] for record in caplog.records] == [
        "The limits of API keys are not enforced:"
    ]
    await counters.close()

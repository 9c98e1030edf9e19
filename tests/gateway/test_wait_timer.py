"""A timer ends exactly the waits that are too long, at their limit."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.wait_timer import WaitTimer
from tests.virtual_time import run_in_virtual_time

SECONDS = st.integers(1, 40)
WAIT = st.tuples(SECONDS, SECONDS, st.integers(0, 20))  # its limit, how long it takes, what follows


async def first_late(
    waits: list[tuple[int, int, int]], ends_at: int | None
) -> tuple[int, float] | None:
    """Return which wait was ended, and when."""
    loop = asyncio.get_running_loop()
    timer = WaitTimer(ends_at)
    try:
        for number, (limit, duration, pause) in enumerate(waits):
            timer.begin(limit)
            try:
                await asyncio.sleep(duration)
            except asyncio.CancelledError:
                assert timer.expired()
                return number, loop.time()
            timer.end()
            await asyncio.sleep(pause)
    finally:
        timer.close()
    return None


def expected(waits: list[tuple[int, int, int]], ends_at: int | None) -> tuple[int, float] | None:
    """Return the same, from the waits alone."""
    now = 0
    for number, (limit, duration, pause) in enumerate(waits):
        due = min(now + limit, now + limit if ends_at is None else ends_at)
        if now + duration > due:
            return number, max(due, now)
        now += duration + pause
    return None


@settings(max_examples=1000, deadline=None)
@given(st.lists(WAIT, max_size=12), st.none() | st.integers(1, 200))
def test_the_first_late_wait_is_ended_at_its_limit(
    waits: list[tuple[int, int, int]], ends_at: int | None
) -> None:
    # A wait that ends at the very moment of its limit may go either way: none does here.
    waits = [(limit * 10, duration * 10 + 1, pause * 10) for limit, duration, pause in waits]
    ends_at = None if ends_at is None else ends_at * 10 + 5
    assert run_in_virtual_time(first_late(waits, ends_at)) == expected(waits, ends_at)


def test_a_cancellation_by_someone_else_stays_one() -> None:
    async def cancelled() -> bool:
        async def wait() -> bool:
            timer = WaitTimer()
            timer.begin(60)
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                return timer.expired()
            finally:
                timer.close()
            return True

        task = asyncio.create_task(wait())
        await asyncio.sleep(1)
        task.cancel()
        return await task

    assert run_in_virtual_time(cancelled()) is False

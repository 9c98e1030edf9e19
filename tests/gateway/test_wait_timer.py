"""A timer ends exactly the waits that are too long, at their limit."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.wait_timer import WaitTimer
from tests.virtual_time import run_in_virtual_time

SECONDS = st.integers(1, 40)
# Its limit, how long it takes, what follows, and whether it ignores a cancel.
Wait = tuple[int, int, int, bool]
WAIT = st.tuples(SECONDS, SECONDS, st.integers(0, 20), st.booleans())


async def wait(seconds: int, *, stubborn: bool) -> None:
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        if not stubborn:
            raise


async def first_late(waits: list[Wait], ends_at: int | None) -> tuple[int, float] | None:
    """Return which wait was ended, and when; no cancel of the timer outlives its wait."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    timer = WaitTimer(ends_at)
    try:
        for number, (limit, duration, pause, stubborn) in enumerate(waits):
            timer.begin(limit)
            try:
                await wait(duration, stubborn=stubborn)
            except asyncio.CancelledError:
                assert timer.expired()
                return number, loop.time()
            timer.end()
            assert task.cancelling() == 0
            await asyncio.sleep(pause)
        assert await is_cancelled_by_another(timer)
    finally:
        timer.close()
        assert task.cancelling() == 0
    return None


async def is_cancelled_by_another(timer: WaitTimer) -> bool:
    """Return whether the timer tells a cancel of its task by someone else from its own."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().call_soon(task.cancel)
    timer.begin(60)
    try:
        await asyncio.sleep(30)
    except asyncio.CancelledError:
        own = timer.expired()
        task.uncancel()
        return not own
    return False


def expected(waits: list[Wait], ends_at: int | None) -> tuple[int, float] | None:
    """Return the same, from the waits alone."""
    now = 0
    for number, (limit, duration, pause, stubborn) in enumerate(waits):
        due = min(now + limit, now + limit if ends_at is None else ends_at)
        end = now + duration
        if end > due:
            end = max(due, now)
            if not stubborn:
                return number, end
        now = end + pause
    return None


@settings(max_examples=1000, deadline=None)
@given(st.lists(WAIT, max_size=12), st.none() | st.integers(1, 200))
def test_the_first_late_wait_is_ended_at_its_limit(waits: list[Wait], ends_at: int | None) -> None:
    # A wait that ends at the very moment of its limit may go either way: none of the twelve does.
    waits = [(100 * limit, 100 * last + 1, 100 * pause, s) for limit, last, pause, s in waits]
    ends_at = None if ends_at is None else ends_at * 100 + 50
    assert run_in_virtual_time(first_late(waits, ends_at)) == expected(waits, ends_at)

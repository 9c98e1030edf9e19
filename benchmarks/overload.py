"""Goodput under overload: requests per second that are answered before their deadline."""

import asyncio
import random
import time
from dataclasses import dataclass
from typing import Any

from benchmarks.raw_client import Stream, stream


@dataclass(frozen=True, slots=True)
class Goodput:
    """Requests per second: offered, answered in time, rejected with 429, and late or failed."""

    offered: float
    good: float
    rejected: float
    late: float


async def offer(
    url: str, request: dict[str, Any], rate: float, seconds: float, deadline: float
) -> Goodput:
    """Send requests at random times, `rate` per second on average, whether or not they end."""
    random_numbers = random.Random(7)  # the same arrivals for every server
    tasks: list[asyncio.Task[Stream]] = []
    started_at = due = time.monotonic()
    while due < started_at + seconds:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        tasks.append(asyncio.create_task(_within(deadline, url, request)))
        due += random_numbers.expovariate(rate)
    done = await asyncio.gather(*tasks)
    good = sum(one.done and one.seconds <= deadline for one in done)
    rejected = sum(one.status == 429 for one in done)
    late = len(done) - good - rejected
    return Goodput(*(count / seconds for count in (len(done), good, rejected, late)))


async def _within(deadline: float, url: str, request: dict[str, Any]) -> Stream:
    """Stream a response and disconnect at the deadline."""
    try:
        return await asyncio.wait_for(stream(url, request), deadline)
    except (TimeoutError, OSError):
        return Stream()


async def capacity(url: str, request: dict[str, Any], slots: int, rounds: int = 4) -> float:
    """Return the requests per second of an engine whose slots are all busy."""
    started_at = time.monotonic()
    for _ in range(rounds):
        await asyncio.gather(*(stream(url, request) for _ in range(slots)))
    return rounds * slots / (time.monotonic() - started_at)

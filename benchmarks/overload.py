"""Goodput under more load than an engine can serve: requests that were answered in their time."""

import asyncio
import random
import time
from dataclasses import dataclass
from typing import Any

from benchmarks.raw import Stream, stream


@dataclass(frozen=True, slots=True)
class Goodput:
    """Requests per second: offered, answered in their time, refused; and the client's late ones."""

    offered: float
    good: float
    refused: float
    late: float


async def offer(
    url: str, request: dict[str, Any], rate: float, seconds: float, deadline: float
) -> Goodput:
    """Send requests at random times, `rate` a second on average, whatever comes of them."""
    chance = random.Random(7)  # the same arrivals for everyone
    tasks: list[asyncio.Task[Stream]] = []
    begun = due = time.monotonic()
    while due < begun + seconds:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        tasks.append(asyncio.create_task(_patient(url, request, deadline)))
        due += chance.expovariate(rate)
    done = await asyncio.gather(*tasks)
    good = sum(one.done and one.took <= deadline for one in done)
    refused = sum(one.status == 429 for one in done)
    late = len(done) - good - refused
    return Goodput(*(count / seconds for count in (len(done), good, refused, late)))


async def _patient(url: str, request: dict[str, Any], deadline: float) -> Stream:
    """Wait for an answer as long as anyone wants it, then leave."""
    try:
        return await asyncio.wait_for(stream(url, request), deadline)
    except (TimeoutError, OSError):
        return Stream()


async def capacity(url: str, request: dict[str, Any], slots: int, rounds: int = 4) -> float:
    """Measure the requests per second of an engine whose slots are all busy."""
    begun = time.monotonic()
    for _ in range(rounds):
        await asyncio.gather(*(stream(url, request) for _ in range(slots)))
    return rounds * slots / (time.monotonic() - begun)

"""Many slow streams: what each costs in memory, and whether its chunks come on time."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.raw import cpu_seconds, stream


@dataclass(frozen=True, slots=True)
class Idle:
    """KiB of the server for each stream; seconds between chunks; the client's share of a core."""

    kib: float
    gaps: list[float]
    client: float


def resident_kib(pid: int) -> int:
    """Give the memory of a process and of all below it."""
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    here = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    return here + sum(resident_kib(int(child)) for child in children)


async def idle(url: str, request: dict[str, Any], streams: int, pid: int) -> Idle:
    """Hold these streams; their engine gives each a token in a second."""
    before, cpu = resident_kib(pid), cpu_seconds()
    loop = asyncio.get_running_loop()
    begun = loop.time()
    tasks = [asyncio.create_task(stream(url, request)) for _ in range(streams)]
    await asyncio.sleep(request["max_tokens"] / 2)
    during = resident_kib(pid)
    done = await asyncio.gather(*tasks)
    gaps = [
        later - earlier
        for one in done
        for earlier, later in zip(one.arrivals[1:-1], one.arrivals[2:], strict=False)
    ]
    share = (cpu_seconds() - cpu) / (loop.time() - begun)
    return Idle((during - before) / streams, gaps, share)

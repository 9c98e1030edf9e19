"""Many slow streams: the server's memory for each, and the intervals between their chunks."""

import asyncio
import itertools
from dataclasses import dataclass
from typing import Any

import psutil

from benchmarks.raw_client import cpu_seconds, stream


@dataclass(frozen=True, slots=True)
class SlowStreams:
    """Memory of the server per stream, seconds between chunks, CPU of the client in cores."""

    kib_per_stream: float
    intervals: list[float]
    client_cores: float


def resident_kib(pid: int) -> float:
    """Return the resident memory of a process and its descendants, in KiB."""
    process = psutil.Process(pid)
    tree = [process, *process.children(recursive=True)]
    return sum(one.memory_info().rss for one in tree) / 1024


async def hold(url: str, request: dict[str, Any], streams: int, pid: int) -> SlowStreams:
    """Hold streams whose engine makes one token per second, until they end."""
    before, cpu = resident_kib(pid), cpu_seconds()
    loop = asyncio.get_running_loop()
    started_at = loop.time()
    tasks = [asyncio.create_task(stream(url, request)) for _ in range(streams)]
    await asyncio.sleep(request["max_tokens"] / 2)
    during = resident_kib(pid)
    done = await asyncio.gather(*tasks)
    intervals = [
        later - earlier for one in done for earlier, later in itertools.pairwise(one.arrivals[1:])
    ]
    cores = (cpu_seconds() - cpu) / (loop.time() - started_at)
    return SlowStreams((during - before) / streams, intervals, cores)

"""Chunks per second of many streams, beside a bare app that sends the same bytes."""

import asyncio
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks.raw import cpu_seconds, stream


@dataclass(frozen=True, slots=True)
class Pace:
    """Of one run: chunks in a second, its seconds, and the client's share of a core."""

    chunks: float
    seconds: float
    client: float

    def tokens(self, count: int) -> float:
        """Give the tokens per second of so many."""
        return count / self.seconds


def body(model: str, tokens: int) -> dict[str, Any]:
    """Make the request of one stream."""
    messages = [{"role": "user", "content": "Tell me about rivers."}]
    return {"model": model, "messages": messages, "max_tokens": tokens, "ignore_eos": True}


async def pace(url: str, request: dict[str, Any], streams: int) -> Pace:
    """Run these streams at once."""
    begun, cpu = time.monotonic(), cpu_seconds()
    done = await asyncio.gather(*(stream(url, request) for _ in range(streams)))
    took = time.monotonic() - begun
    assert all(one.done for one in done), "a stream did not end with [DONE]"
    frames = sum(one.frames for one in done)
    return Pace(frames / took, took, (cpu_seconds() - cpu) / took)


@asynccontextmanager
async def bare(url: str, request: dict[str, Any], *more: str) -> AsyncIterator[str]:
    """Serve what a server answers to a request by the bare app; gives its URL."""
    async with httpx.AsyncClient(timeout=60) as client:
        answer = await client.post(f"{url}/chat/completions", json=request | {"stream": True})
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "frames"
        file.write_bytes(answer.content)
        command = [sys.executable, "-m", "benchmarks.bare", str(file), str(port), *more]
        process = subprocess.Popen(command)  # noqa: ASYNC220 - it is there in milliseconds
        try:
            await _listens(port)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()
            process.wait()


async def _listens(port: int) -> None:
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        await asyncio.sleep(0.1)
    raise RuntimeError("the bare app did not start")

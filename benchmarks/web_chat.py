"""Concurrent visitors of the web chat: when each gets its first text, and how regularly more."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

_UNLIMITED: Final = httpx.Limits(max_connections=None)


@dataclass(slots=True)
class Visit:
    """One visitor: seconds to the first update with text, and between later updates."""

    first_text: float = 0.0
    intervals: list[float] = field(default_factory=list)


async def visit_all(page: str, model: str, count: int) -> list[Visit]:
    """Let visitors ask at the same time, by the HTTP calls of the page's own script."""
    async with httpx.AsyncClient(base_url=page, timeout=120, limits=_UNLIMITED) as client:
        functions = (await client.get("/config")).json()["dependencies"]
        return await asyncio.gather(*(_visit(client, functions, model) for _ in range(count)))


async def _visit(client: httpx.AsyncClient, functions: list[Any], model: str) -> Visit:
    """Open the page, which lists the models, then ask."""
    visit, session = Visit(), uuid.uuid4().hex[:10]
    async for _ in _updates(client, session, _function(functions, inputs=2), [None, ""]):
        pass
    messages = [{"role": "user", "content": [{"type": "text", "text": "Tell me about rivers."}]}]
    inputs = [messages, model, "", 0.7, 1, 128, ""]
    answer = _function(functions, inputs=len(inputs))
    started_at = last = time.monotonic()
    async with aclosing(_updates(client, session, answer, inputs)) as updates:
        async for number in updates:
            now = time.monotonic()
            if number == 1:  # number 0 is the note that the first token is awaited
                visit.first_text = now - started_at
            elif number > 1:
                visit.intervals.append(now - last)
            last = now
    return visit


def _function(functions: list[Any], *, inputs: int) -> int:
    """Return the id of the page's first function with so many inputs."""
    return next(int(one["id"]) for one in functions if len(one["inputs"]) == inputs)


async def _updates(
    client: httpx.AsyncClient, session: str, function: int, data: list[Any]
) -> AsyncGenerator[int, None]:
    """Call a function and yield the number of each update as it arrives."""
    body = {"fn_index": function, "session_hash": session, "data": data}
    (await client.post("/gradio_api/queue/join", json=body)).raise_for_status()
    async with client.stream("GET", f"/gradio_api/queue/data?session_hash={session}") as response:
        count = 0
        async for line in response.aiter_lines():
            event = json.loads(line[6:]) if line.startswith("data: ") else {}
            if event.get("msg") == "process_generating":
                yield count
                count += 1
            elif event.get("msg") == "process_completed" and not event["success"]:
                raise RuntimeError(f"the page failed: {event['output']}")
            elif event.get("msg") in ("process_completed", "close_stream"):
                return

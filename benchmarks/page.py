"""The web chat under many sessions: when each sees its first word, and how steadily the rest."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

_MANY: Final = httpx.Limits(max_connections=None)


@dataclass(slots=True)
class Session:
    """One visitor: seconds to the first update with an answer, and between later ones."""

    first: float = 0.0
    gaps: list[float] = field(default_factory=list)


async def sessions(page: str, model: str, count: int) -> list[Session]:
    """Let visitors ask at once, in the words of the page's own script."""
    async with httpx.AsyncClient(base_url=page, timeout=120, limits=_MANY) as client:
        functions = (await client.get("/config")).json()["dependencies"]
        return await asyncio.gather(*(_visit(client, functions, model) for _ in range(count)))


async def _visit(client: httpx.AsyncClient, functions: list[Any], model: str) -> Session:
    """Open the page, which asks for the models, then ask."""
    session, name = Session(), uuid.uuid4().hex[:10]
    async for _ in _updates(client, name, _first(functions, 2), [None, ""]):
        pass
    said = [{"role": "user", "content": [{"type": "text", "text": "Tell me about rivers."}]}]
    asked = [said, model, "", 0.7, 1, 128, ""]
    begun = last = time.monotonic()
    async with aclosing(_updates(client, name, _first(functions, len(asked)), asked)) as updates:
        async for number in updates:
            now = time.monotonic()
            if number == 1:  # the first says that it waits
                session.first = now - begun
            elif number > 1:
                session.gaps.append(now - last)
            last = now
    return session


def _first(functions: list[Any], inputs: int) -> int:
    """Find a function of the page by how many inputs it has."""
    return next(int(one["id"]) for one in functions if len(one["inputs"]) == inputs)


async def _updates(
    client: httpx.AsyncClient, name: str, place: int, data: list[Any]
) -> AsyncGenerator[int, None]:
    """Call a function and count its updates as they come."""
    body = {"fn_index": place, "session_hash": name, "data": data}
    (await client.post("/gradio_api/queue/join", json=body)).raise_for_status()
    async with client.stream("GET", f"/gradio_api/queue/data?session_hash={name}") as answer:
        seen = 0
        async for line in answer.aiter_lines():
            event = json.loads(line[6:]) if line.startswith("data: ") else {}
            if event.get("msg") == "process_generating":
                yield seen
                seen += 1
            elif event.get("msg") == "process_completed" and not event["success"]:
                raise RuntimeError(f"the page failed: {event['output']}")
            elif event.get("msg") in ("process_completed", "close_stream"):
                return

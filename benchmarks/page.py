"""The web chat under many sessions: when each sees its first word, and how steadily the rest."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import httpx


@dataclass(slots=True)
class Session:
    """One visitor: seconds to the first update with an answer, and between later ones."""

    first: float = 0.0
    gaps: list[float] = field(default_factory=list)


async def sessions(page: str, model: str, count: int) -> list[Session]:
    """Let visitors ask at once, in the words of the page's own script."""
    async with httpx.AsyncClient(base_url=page, timeout=120) as client:
        place = _answers(await _config(client))
        return await asyncio.gather(*(_visit(client, place, model) for _ in range(count)))


async def _config(client: httpx.AsyncClient) -> dict[str, Any]:
    return dict((await client.get("/config")).json())


def _answers(config: dict[str, Any]) -> int:
    """Find the page's function that answers: the one with the most inputs."""
    return int(max(config["dependencies"], key=lambda one: len(one["inputs"]))["id"])


async def _visit(client: httpx.AsyncClient, place: int, model: str) -> Session:
    session, name = Session(), uuid.uuid4().hex[:10]
    said = [{"role": "user", "content": [{"type": "text", "text": "Tell me about rivers."}]}]
    body = {"fn_index": place, "session_hash": name, "data": [said, model, "", 0.7, 1, 128, ""]}
    begun = last = time.monotonic()
    (await client.post("/gradio_api/queue/join", json=body)).raise_for_status()
    async with aclosing(_updates(client, name)) as updates:
        async for _ in updates:
            now = time.monotonic()
            if session.first:
                session.gaps.append(now - last)
            session.first, last = session.first or now - begun, now
    return session


async def _updates(client: httpx.AsyncClient, name: str) -> AsyncGenerator[str, None]:
    """Give the page's updates that come after the one that says that it waits."""
    async with client.stream("GET", f"/gradio_api/queue/data?session_hash={name}") as answer:
        seen = 0
        async for line in answer.aiter_lines():
            event = json.loads(line[6:]) if line.startswith("data: ") else {}
            if event.get("msg") == "process_generating":
                seen += 1
                if seen > 1:
                    yield line
            elif event.get("msg") in ("process_completed", "close_stream"):
                return

"""`respond`: every endpoint's answer, streamed as frames or collected into one JSON object."""

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from engine import GenerateRequest
from gateway.api.session import RequestSession
from gateway.api.streaming.disconnect import cancel_on_disconnect
from gateway.api.streaming.primed_stream import wait_for_first_delta
from gateway.api.streaming.renderer import Renderer
from gateway.api.streaming.sse import frames
from gateway.api.streaming.sse_private import EventStream
from gateway.deltas import ChoiceDeltas


async def respond(
    request: Request,
    session: RequestSession,
    requests: Sequence[GenerateRequest],
    renderer: Renderer,
    *,
    stream: bool,
) -> Response:
    """Generate the completions and return the response; a client that leaves ends them all."""
    deltas = session.generate(requests, stream=stream)
    if not stream:
        body = await cancel_on_disconnect(request, _whole(deltas, renderer))
        return JSONResponse(body)
    limits = session.limits
    primed = wait_for_first_delta(deltas, limits.stream_open_timeout_seconds)
    started = await cancel_on_disconnect(request, primed)
    return EventStream(
        frames(started, renderer),
        started,
        limits.ping_interval_seconds,
        limits.send_timeout_seconds,
    )


async def _whole(deltas: ChoiceDeltas, renderer: Renderer) -> Any:
    try:
        async for index, delta in deltas:
            renderer.collect(index, delta)
    finally:
        await deltas.aclose()
    return renderer.body()

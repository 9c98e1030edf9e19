"""`respond`: every endpoint's answer, streamed as frames or collected into one JSON object."""

import logging
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from engine import EngineError, GenerateRequest, without_message
from gateway.api.session import RequestSession
from gateway.api.streaming.disconnect import cancel_on_disconnect
from gateway.api.streaming.primed_stream import PrimedStream, wait_for_first_delta
from gateway.api.streaming.renderer import Renderer
from gateway.api.streaming.sse import PING
from gateway.api.streaming.sse_private import EventStream
from gateway.deltas import ChoiceDeltas
from gateway.errors import api_error

log = logging.getLogger(__name__)


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
        _frames(started, renderer),
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


async def _frames(stream: PrimedStream, renderer: Renderer) -> AsyncGenerator[bytes, None]:
    """Yield a stream's frames; a failure becomes the error frame before the last one."""
    if not stream.first.done():
        yield PING  # so that no proxy holds the response's head back
    try:
        if data := renderer.feed(*await stream.first):
            yield data
        async for index, delta in stream.deltas:
            if data := renderer.feed(index, delta):
                yield data
    except Exception as error:  # the client must hear of every failure
        if not isinstance(error, EngineError):
            log.exception("A stream failed", exc_info=without_message(error))
        await stream.fail(error)
        yield renderer.fail(api_error(error))
    if last := renderer.end():
        yield last

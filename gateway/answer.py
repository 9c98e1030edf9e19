"""How an endpoint answers: the merged deltas streamed as frames, or collected into one JSON."""

from collections.abc import Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from engine import TokenDelta
from gateway.choices import ChoiceDeltas, Deltas, Tally, collected, merged
from gateway.framer import Framer
from gateway.sampling import SamplingFields
from gateway.sse import EventStream, frames, started
from gateway.state import gateway_of
from gateway.wire import Head, unless_disconnected

Choice = Callable[[int, TokenDelta], dict[str, Any]]


async def answer(
    request: Request,
    body: SamplingFields,
    head: Head,
    streams: Sequence[Deltas],
    framer: type[Framer],
    choice: Choice,
) -> Response:
    """Answer with these streams; a client that leaves ends them all."""
    limits = gateway_of(request).config.limits
    tally = Tally(body.n or 1)
    deltas = merged(streams)
    if not body.stream:
        kind = framer.object_.removesuffix(".chunk")
        work = _whole(deltas, head.fields(kind), len(streams), tally, choice)
        return JSONResponse(await unless_disconnected(request, work))
    stream = await unless_disconnected(request, started(deltas, limits.first_delta_seconds))
    writer = framer(head, len(streams), tally, include_usage=body.include_usage)
    return EventStream(
        frames(stream, writer), stream, limits.ping_seconds, limits.send_timeout_seconds
    )


async def _whole(
    deltas: ChoiceDeltas, fields: dict[str, Any], count: int, tally: Tally, choice: Choice
) -> dict[str, Any]:
    completions = await collected(deltas, count)
    for index, whole in enumerate(completions):
        tally.add(index, whole.usage)
    choices = [choice(index, whole) for index, whole in enumerate(completions)]
    return fields | {"choices": choices, "usage": tally.body()}

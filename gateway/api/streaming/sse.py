"""Server-sent events: how a chunk becomes a frame, and a stream of deltas one of frames."""

import json
import logging
from collections.abc import AsyncGenerator
from typing import Any, Final, Protocol

from engine import EngineError, TokenDelta
from gateway.api.streaming.primed_stream import PrimedStream
from gateway.errors import ApiError, api_error

DONE: Final = b"data: [DONE]\n\n"
PING: Final = b": ping\n\n"

log = logging.getLogger(__name__)


class FrameWriter(Protocol):
    """What writes the frames of one stream: a `Renderer`."""

    def feed(self, index: int, delta: TokenDelta) -> bytes: ...
    def fail(self, error: ApiError) -> bytes: ...
    def end(self) -> bytes: ...


def frame(chunk: Any) -> bytes:
    """Return one JSON chunk as one frame."""
    return (
        b"data: " + json.dumps(chunk, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"
    )


async def frames(stream: PrimedStream, writer: FrameWriter) -> AsyncGenerator[bytes, None]:
    """Yield a stream's frames; a failure becomes the error frame before the last one."""
    if stream.silent:
        yield PING  # so that no proxy holds the response's head back
    try:
        if data := writer.feed(*await stream.first()):
            yield data
        async for index, delta in stream.deltas:
            if data := writer.feed(index, delta):
                yield data
    except Exception as error:  # the client must hear of every failure
        if not isinstance(error, EngineError):
            log.exception("A stream failed")
        await stream.fail(error)
        yield writer.fail(api_error(error))
    if last := writer.end():
        yield last

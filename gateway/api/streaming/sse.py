"""Server-sent events: finished frames, the wait for the first delta, and the last error frame."""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Final, Protocol

from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.types import Message, Receive, Scope, Send

from engine import EngineError, TokenDelta
from gateway.deltas import ChoiceDeltas
from gateway.errors import ApiError, api_error

DONE: Final = b"data: [DONE]\n\n"
PING: Final = b": ping\n\n"
HEADERS: Final = {"Cache-Control": "no-cache, no-transform"}

log = logging.getLogger(__name__)


def frame(chunk: Any) -> bytes:
    """Write one JSON chunk as one frame."""
    return (
        b"data: " + json.dumps(chunk, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"
    )


class Started:
    """A stream of deltas whose first one is there already, or is still waited for.

    A class and not a generator: closing a generator that was never started closes nothing.
    """

    def __init__(self, deltas: ChoiceDeltas) -> None:
        self._deltas = deltas
        self._first: asyncio.Future[tuple[int, TokenDelta]] | None = asyncio.ensure_future(
            anext(deltas)
        )

    @property
    def silent(self) -> bool:
        """Whether the first delta is still awaited."""
        return self._first is not None and not self._first.done()

    async def wait(self, patience: float) -> None:
        """Wait for the first delta, `patience` seconds at most; raises what it raised."""
        assert self._first is not None
        # Not wait_for: that would cancel the pending token.
        done, _ = await asyncio.wait({self._first}, timeout=patience)
        if done and (error := self._first.exception()) is not None:
            raise error

    def __aiter__(self) -> AsyncIterator[tuple[int, TokenDelta]]:
        return self

    async def __anext__(self) -> tuple[int, TokenDelta]:
        if self._first is None:
            return await anext(self._deltas)
        first, self._first = self._first, None
        return await first

    async def fail(self, error: Exception) -> None:
        """Let what is below know that its reader failed, and not that its client left."""
        with contextlib.suppress(Exception):
            await self._deltas.athrow(error)

    async def aclose(self) -> None:
        """End the stream at whatever point it is; the engine frees its slot."""
        if self._first is not None and not self._first.done():
            self._first.cancel()
            with contextlib.suppress(asyncio.CancelledError, StopAsyncIteration, EngineError):
                await self._first
        await self._deltas.aclose()


async def started(deltas: ChoiceDeltas, patience: float) -> Started:
    """Start a stream: return with its first delta, or after `patience` seconds without one.

    What goes wrong in that time is raised here, while a status line can still be sent.
    """
    stream = Started(deltas)
    try:
        await stream.wait(patience)
    except BaseException:
        await stream.aclose()
        raise
    return stream


class Writer(Protocol):
    """How one endpoint writes deltas as frames."""

    def feed(self, index: int, delta: TokenDelta) -> bytes:
        """Write what one choice's delta adds; may be empty, may be several frames."""

    def fail(self, error: ApiError) -> bytes:
        """Write that no more comes, and why."""

    def end(self) -> bytes:
        """Write what ends every stream."""


async def frames(stream: Started, writer: Writer) -> AsyncGenerator[bytes, None]:
    """Write a stream's frames; whatever happens, the last one says that it is over."""
    if stream.silent:
        yield PING  # so that no proxy holds the head back
    try:
        async for index, delta in stream:
            if data := writer.feed(index, delta):
                yield data
    except Exception as error:  # the client must hear of every failure
        if not isinstance(error, EngineError):
            log.exception("a stream broke")
        await stream.fail(error)
        yield writer.fail(api_error(error))
    if last := writer.end():
        yield last


class SendTimeout:
    """Ends a stream whose reader takes nothing: one timer for all of it, not one for each frame."""

    def __init__(self, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._seconds = seconds
        self._since: float | None = None  # when the send began that has not ended
        self._late = False
        self._handle = self._loop.call_later(seconds, self._ring)

    async def send(self, send: Send, message: Message) -> None:
        """Send one frame; raises SendTimeoutError if that takes too long."""
        self._since = self._loop.time()
        try:
            await send(message)
        except asyncio.CancelledError:
            if self._late and self._task is not None and self._task.uncancel() == 0:
                raise SendTimeoutError from None
            raise
        self._since = None

    def close(self) -> None:
        self._handle.cancel()

    def _ring(self) -> None:
        now = self._loop.time()
        since = now if self._since is None else self._since
        if now - since >= self._seconds and self._task is not None:
            self._late = True
            self._task.cancel()
        else:
            self._handle = self._loop.call_at(since + self._seconds, self._ring)


class EventStream(EventSourceResponse):
    """An answer of frames that closes the stream it owns, however it ends."""

    def __init__(
        self, content: AsyncGenerator[bytes, None], owns: Started, ping: float, send_timeout: float
    ) -> None:
        super().__init__(
            content,
            headers=HEADERS,
            ping=ping,
            sep="\n",
            ping_message_factory=_ping,
            send_timeout=send_timeout,
        )
        self._content = content
        self._owns = owns
        self._reader: SendTimeout | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the frames; a reader that takes none for too long is cut off."""
        try:
            with contextlib.suppress(SendTimeoutError):
                await super().__call__(scope, receive, send)
        finally:
            if self._reader is not None:
                self._reader.close()
            await self._content.aclose()
            await self._owns.aclose()

    async def _send_with_timeout(self, send: Send, message: Message) -> None:
        """Send a frame; the library's own way costs as much as all the rest of a frame."""
        if self._reader is None:
            assert self.send_timeout is not None
            self._reader = SendTimeout(self.send_timeout)
        await self._reader.send(send, message)


def _ping() -> ServerSentEvent:
    return ServerSentEvent(comment="ping", sep="\n")

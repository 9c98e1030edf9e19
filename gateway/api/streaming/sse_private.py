"""`EventStream`, over a private method of sse-starlette (3.7): how one frame is sent in time.

The library makes a cancel scope for each frame, which takes 7 of a frame's 12 microseconds. A
test fails when `_send_with_timeout` moves or takes other arguments.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Final

from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.types import Message, Receive, Scope, Send

from gateway.api.streaming.primed_stream import PrimedStream

HEADERS: Final = {"Cache-Control": "no-cache, no-transform"}


class SendTimeout:
    """Ends a stream whose reader takes nothing for `seconds`: one timer for all its frames."""

    def __init__(self, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._seconds = seconds
        self._since: float | None = None  # when the send began that has not ended
        self._late = False
        self._handle = self._loop.call_later(seconds, self._ring)

    async def send(self, send: Send, message: Message) -> None:
        """Send one frame; raise SendTimeoutError if that takes too long."""
        self._since = self._loop.time()
        try:
            await send(message)
        except asyncio.CancelledError:
            if self._late and self._task is not None and self._task.uncancel() == 0:
                raise SendTimeoutError from None
            raise
        self._since = None

    def close(self) -> None:
        """Stop the timer."""
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
    """A response of frames that closes the stream it owns, however it ends."""

    def __init__(
        self, content: AsyncGenerator[bytes, None], owns: PrimedStream, ping: float, timeout: float
    ) -> None:
        super().__init__(
            content, headers=HEADERS, ping=ping, sep="\n", ping_message_factory=_ping,
            send_timeout=timeout,
        )  # fmt: skip
        self._content = content
        self._owns = owns
        self._timeout: SendTimeout | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the frames; a reader that takes none for too long is cut off."""
        try:
            with contextlib.suppress(SendTimeoutError):
                await super().__call__(scope, receive, send)
        finally:
            if self._timeout is not None:
                self._timeout.close()
            await self._content.aclose()
            await self._owns.aclose()

    async def _send_with_timeout(self, send: Send, message: Message) -> None:
        """Send one frame."""
        if self._timeout is None:
            assert self.send_timeout is not None
            self._timeout = SendTimeout(self.send_timeout)
        await self._timeout.send(send, message)


def _ping() -> ServerSentEvent:
    return ServerSentEvent(comment="ping", sep="\n")

"""`EventStream`, over a private method of sse-starlette (3.7): how one frame is sent in time.

The library makes a cancel scope for each frame, which takes 7 of a frame's 12 microseconds. A
test fails when `_send_with_timeout` moves or takes other arguments.
"""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, Final

from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.types import Message, Receive, Scope, Send

from gateway.api.streaming.primed_stream import PrimedStream
from gateway.wait_timer import WaitTimer

HEADERS: Final = {"Cache-Control": "no-cache, no-transform"}


class EventStream(EventSourceResponse):
    """A response of frames that closes the stream it owns, however it ends."""

    def __init__(
        self, content: AsyncGenerator[bytes, None], owns: PrimedStream, ping: float, timeout: float
    ) -> None:
        message = ServerSentEvent(comment="ping", sep="\n")
        super().__init__(
            content, headers=HEADERS, ping=ping, sep="\n", ping_message_factory=lambda: message
        )
        self._content = content
        self._owns = owns
        self._seconds = timeout
        # Frames and pings are sent by tasks of their own, and a ping must not hide a late frame.
        self._timers: dict[asyncio.Task[Any] | None, WaitTimer] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the frames; a reader that takes none for too long is cut off."""
        try:
            await super().__call__(scope, receive, send)
        except SendTimeoutError:
            pass  # the request's record and its log line say how it ended
        except ExceptionGroup as group:  # a frame and a ping were late at the same time
            if group.subgroup(lambda error: not isinstance(error, SendTimeoutError)):
                raise
        finally:
            for timer in self._timers.values():
                timer.close()
            await self._content.aclose()
            await self._owns.aclose()

    async def _send_with_timeout(self, send: Send, message: Message) -> None:
        """Send one frame; raise SendTimeoutError if the reader does not take it in time."""
        task = asyncio.current_task()
        if task not in self._timers:
            self._timers[task] = WaitTimer()
        timer = self._timers[task]
        timer.begin(self._seconds)
        try:
            await send(message)
        except asyncio.CancelledError:
            if timer.expired():
                raise SendTimeoutError from None
            raise
        timer.end()

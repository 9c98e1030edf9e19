"""What gateway/api uses of sse-starlette and is not public, for the version below.

`EventStream` overrides `_send_with_timeout`, since the library enters a cancel scope for each
frame, which costs as much as all the rest of a frame.
"""

from collections.abc import AsyncGenerator
from importlib.metadata import version

from sse_starlette import EventSourceResponse
from sse_starlette.sse import AppStatus, SendTimeoutError
from starlette.types import Message, Send


def test_all_of_it_is_for_the_installed_version() -> None:
    assert version("sse-starlette").startswith("3.7.")
    assert issubclass(SendTimeoutError, TimeoutError)
    assert callable(AppStatus.disable_automatic_graceful_drain)  # public


class Recording(EventSourceResponse):
    """Records the bodies that go through the hook."""

    async def _send_with_timeout(self, send: Send, message: Message) -> None:
        self.bodies = [*getattr(self, "bodies", []), message["body"]]
        await send(message)


async def test_each_frame_goes_through_the_hook() -> None:
    async def frames() -> AsyncGenerator[bytes, None]:
        yield b"data: 1\n\n"
        yield b"data: 2\n\n"

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    response = Recording(frames())
    await response._stream_response(send)
    assert response.bodies == [b"data: 1\n\n", b"data: 2\n\n"]
    assert [message["type"] for message in sent] == [
        "http.response.start", *["http.response.body"] * 3
    ]  # fmt: skip

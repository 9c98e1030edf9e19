"""A client that uses little CPU: it counts frames and parses none of them."""

import asyncio
import json
import resource
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

FRAME = b"data: "
DONE = b"data: [DONE]"


@dataclass(slots=True)
class Stream:
    """The response to one request; times are seconds of the monotonic clock."""

    started_at: float = 0.0
    frames: int = 0
    status: int = 0
    done: bool = False
    arrivals: list[float] = field(default_factory=list)

    @property
    def ttft(self) -> float:
        """Return the seconds to the first frame."""
        return self.arrivals[0] - self.started_at

    @property
    def seconds(self) -> float:
        """Return the seconds to the last frame."""
        return self.arrivals[-1] - self.started_at


class _Client(asyncio.Protocol):
    def __init__(self, request: bytes, stream: Stream, closed: "asyncio.Future[None]") -> None:
        self._request = request
        self._stream = stream
        self._closed = closed
        self._tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._stream.started_at = time.monotonic()
        assert isinstance(transport, asyncio.Transport)
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        stream = self._stream
        if not stream.status:
            stream.status = int(data[9:12])
        data = self._tail + data
        whole = data.count(FRAME)
        if whole:
            stream.frames += whole
            stream.arrivals.append(time.monotonic())
        if DONE in data or stream.status != 200:
            stream.done = DONE in data
            self._transport.close()
        # Keep what may be the beginning of a frame, but no frame that was counted.
        self._tail = data[data.rfind(b"\n") + 1 :] if data.rfind(b"\n") >= 0 else b""
        if FRAME in self._tail:
            self._tail = b""

    def connection_lost(self, _: Exception | None) -> None:
        if not self._closed.done():
            self._closed.set_result(None)


async def stream(url: str, body: dict[str, Any], key: str = "none") -> Stream:
    """Send a streamed chat to a base URL such as http://127.0.0.1:8000/v1; count its frames."""
    parts = urlsplit(url)
    data = json.dumps(body | {"stream": True}).encode()
    head = (
        f"POST {parts.path}/chat/completions HTTP/1.1\r\nhost: {parts.netloc}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(data)}\r\n"
        f"authorization: Bearer {key}\r\n"
        "connection: close\r\n\r\n"
    ).encode()
    loop = asyncio.get_running_loop()
    result, closed = Stream(), loop.create_future()
    transport, _ = await loop.create_connection(
        lambda: _Client(head + data, result, closed), parts.hostname, parts.port
    )
    try:
        await closed
    finally:  # this stream is cancelled if another one failed
        transport.close()
    return result


def cpu_seconds() -> float:
    """Return the CPU seconds of this process, the load generator."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime

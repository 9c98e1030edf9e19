"""Answers to HTTP/1.0 clients, such as NGINX with its defaults: without a transfer coding.

uvicorn sends them chunked, which RFC 9112 (6.1) forbids, and HAProxy passes that on.
"""

from typing import Any

from uvicorn.protocols.http import httptools_impl


class Cycle(httptools_impl.RequestResponseCycle):
    """One request and its answer; to HTTP/1.0 the answer ends with its connection."""

    async def send(self, message: Any) -> None:
        """Send an ASGI message.

        To HTTP/1.0 the base class is told that the answer is not chunked, and as its length what
        it gets; it closes the connection after such an answer by itself.
        """
        if self.scope["http_version"] == "1.0":
            self.chunked_encoding = False
            self.expected_content_length = len(message.get("body", b""))
        await super().send(message)


def close_streams_to_http10() -> None:
    """Have the uvicorn of this process use the class above."""
    httptools_impl.RequestResponseCycle = Cycle  # type: ignore[misc]

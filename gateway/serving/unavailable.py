"""The 503 while no replica is there, in OpenAI's shape, in place of Ray Serve's and HAProxy's own.

HAProxy's stand-in imports it at each reload, so it imports nothing large itself.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from starlette.middleware import Middleware
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

STATUS: Final = HTTPStatus.SERVICE_UNAVAILABLE
ERROR: Final = {
    "message": "No replica serves this path now: the gateway starts, stops or recovers. Try again.",
    "type": "server_error",
    "param": None,
    "code": "service_unavailable",
}
BODY: Final = json.dumps({"error": ERROR}).encode()
HEADERS: Final = {
    "content-type": "application/json", "content-length": str(len(BODY)), "retry-after": "5"
}  # fmt: skip
# What Serve answers by itself: no route, a time limit, back-pressure, no replica.
SERVES_OWN: Final = (404, 408, 429, 500, 503)


def middlewares() -> list[Middleware]:
    """Return the ASGI middleware of Serve's proxy and of the HTTP server of its replicas.

    It is called where uvicorn runs, before it starts.
    """
    from starlette.middleware import Middleware

    from gateway.serving.http10 import close_streams_to_http10

    close_streams_to_http10()
    return [Middleware(ServeErrors)]


class ServeErrors:
    """ASGI middleware that replaces errors in plain text, which are Serve's, and missing answers.

    Errors of the gateway are JSON and pass. So does `/-/`, which load balancers read.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the app's answer, or send the 503."""
        answered = scope["type"] != "http" or scope["path"].startswith("/-/")

        async def pass_on(message: Message) -> None:
            nonlocal answered
            answered = answered or not _is_serves_own(message)
            if answered:
                await send(message)

        await self._app(scope, receive, pass_on)
        if not answered:
            headers = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
            await send({"type": "http.response.start", "status": STATUS, "headers": headers})
            await send({"type": "http.response.body", "body": BODY})


def _is_serves_own(message: Message) -> bool:
    """Return whether an answer begins that is Serve's own, or continues: it has one body."""
    if message["type"] != "http.response.start":
        return True
    content_type = dict(message.get("headers", ())).get(b"content-type", b"")
    return message["status"] in SERVES_OWN and content_type.startswith(b"text/plain")

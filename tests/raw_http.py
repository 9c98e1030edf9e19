"""Requests as they are written, which httpx would tidy."""

import contextlib
import http.client
import json
import socket
from typing import Any

CHAT = "/v1/chat/completions"
BODY: dict[str, Any] = {
    "model": "sim", "messages": [{"role": "user", "content": "Hello."}], "max_tokens": 3
}  # fmt: skip


def ask(url: str, target: str, method: str = "GET", **more: Any) -> tuple[int, bytes]:
    """Send a target as it is written, which httpx would tidy."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=20)
    connection.putrequest(method, target)
    body = json.dumps(more["json"]).encode() if "json" in more else b""
    for name, value in more.get("headers", {}).items():
        connection.putheader(name, value)
    connection.putheader("content-type", "application/json")
    connection.putheader("content-length", str(len(body)))
    connection.endheaders(body)
    with contextlib.closing(connection), connection.getresponse() as answer:
        return answer.status, answer.read()


def speak_http10(
    url: str, method: str, path: str, body: dict[str, Any] | None = None, connection: str = "close"
) -> bytes:
    """Return all that a server sends to an HTTP/1.0 client until it closes the connection."""
    host, _, port = url.removeprefix("http://").partition(":")
    content = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.0\r\nHost: x\r\nConnection: {connection}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    with socket.create_connection((host, int(port)), 20) as client:
        client.sendall(head.encode() + content)
        return b"".join(iter(lambda: client.recv(65536), b""))

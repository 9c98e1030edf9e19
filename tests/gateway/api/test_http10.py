"""HTTP/1.0 clients: no transfer coding, and the connection is closed at the end."""

import json
import socket
from typing import Any

import pytest

from tests.conftest import Serve
from tests.raw_http import BODY, CHAT, speak_http10


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, BODY | {"stream": True}),
        (CHAT, BODY),
        (CHAT, {}),
        ("/v1/responses", {"model": "sim", "input": "x", "stream": True, "max_output_tokens": 3}),
        ("/v1/models", None),
    ],
    ids=["stream", "whole", "error", "response stream", "get"],
)
def test_an_http10_client_gets_no_transfer_coding(
    url: str, path: str, body: dict[str, Any] | None
) -> None:
    answer = speak_http10(url, "GET" if body is None else "POST", path, body, "keep-alive")
    head, _, content = answer.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert b"connection: close" in head.lower()
    if body is not None and body.get("stream"):
        assert b"content-length" not in head.lower()
        assert content.startswith((b"data: ", b"event: "))
        assert content.endswith(b"data: [DONE]\n\n") or b"response.incomplete" in content
    else:
        json.loads(content)


def test_an_http10_stream_comes_frame_by_frame(serve: Serve) -> None:
    url = serve({"time_scale": 1, "decode_base_ms": 20})
    host, _, port = url.removeprefix("http://").partition(":")
    content = json.dumps(BODY | {"stream": True, "max_tokens": 5}).encode()
    head = f"POST {CHAT} HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: "
    with socket.create_connection((host, int(port)), 20) as connection:
        connection.sendall(head.encode() + str(len(content)).encode() + b"\r\n\r\n" + content)
        pieces = list(iter(lambda: connection.recv(65536), b""))
    assert len([piece for piece in pieces if b"data: " in piece]) >= 5


def test_head_over_http10_has_no_body(url: str) -> None:
    head, _, content = speak_http10(url, "HEAD", "/v1/models").partition(b"\r\n\r\n")
    assert b"200 OK" in head
    assert content == b""

"""A client that stops reading its stream is disconnected, with the default limits."""

import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.bodies import CHAT, MESSAGES
from tests.hostile.server import serving

pytestmark = [pytest.mark.hostile, pytest.mark.timeout(90)]

SECONDS = 35  # limits.send_timeout_seconds is 30


def open_unread(port: int) -> socket.socket:
    """Ask for more than the buffers of both ends hold, and read nothing of it."""
    body = json.dumps({
        "model": "sim", "messages": MESSAGES, "stream": True, "max_tokens": 15_000,
        "ignore_eos": True, "logprobs": True, "top_logprobs": 20,
    })  # fmt: skip
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", port))
    head = f"POST {CHAT} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    client.sendall(f"{head}content-length: {len(body)}\r\n\r\n{body}".encode())
    return client


def logged(file: Path) -> list[dict[str, Any]]:
    """Return the access log's lines of chats."""
    lines = (json.loads(line) for line in file.read_text().splitlines() if line.startswith("{"))
    return [line for line in lines if line.get("path") == CHAT]


def test_a_reader_that_stops_is_disconnected_in_time(tmp_path: Path) -> None:
    with serving(tmp_path, token_ms=0.1) as (url, _):
        client, start = open_unread(int(url.rpartition(":")[2])), time.monotonic()
        while not logged(tmp_path / "log"):
            assert time.monotonic() - start < SECONDS
            time.sleep(0.2)
        client.close()
    (line,) = logged(tmp_path / "log")
    assert line["outcome"] == "cancelled"

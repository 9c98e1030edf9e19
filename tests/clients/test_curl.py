"""curl, as in the README."""

import json
import subprocess

from tests.clients.weather import HELLO
from tests.tools import require_tool

JSON = ("-H", "Content-Type: application/json")
BODY = json.dumps({"model": "sim", "messages": HELLO})
STREAM = json.dumps({"model": "sim", "messages": HELLO, "stream": True})


def curl(url: str, *options: str) -> str:
    command = [require_tool("curl"), "--silent", "--show-error", "--noproxy", "*", *options]
    command.append(f"{url}/v1/chat/completions")
    done = subprocess.run(command, capture_output=True, text=True, timeout=15)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_post_is_answered_with_json(url: str) -> None:
    answer = json.loads(curl(url, *JSON, "-d", BODY))
    assert answer["choices"][0]["finish_reason"] == "stop"


def test_a_stream_is_frames_and_done(url: str) -> None:
    *frames, done, rest = curl(url, "-N", *JSON, "-d", STREAM).split("\n\n")
    chunks = [json.loads(frame.removeprefix("data: ")) for frame in frames]
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert (done, rest) == ("data: [DONE]", "")
    assert text == json.loads(curl(url, *JSON, "-d", BODY))["choices"][0]["message"]["content"]


def test_a_body_in_a_later_packet_is_answered(url: str) -> None:
    # Over 1 MiB, curl waits for `100 Continue`.
    long = json.dumps({"model": "sim", "messages": HELLO}) + " " * 2**20
    answer = subprocess.run(
        [
            require_tool("curl"),
            "-s",
            "--noproxy",
            "*",
            *JSON,
            "-d",
            "@-",
            f"{url}/v1/chat/completions",
        ],
        input=long,
        capture_output=True,
        text=True,
        timeout=15,
    )
    assert json.loads(answer.stdout)["object"] == "chat.completion"


def test_a_forgotten_header_is_a_415_that_says_which(url: str) -> None:
    body, _, status = curl(url, "-d", BODY, "-w", "\n%{http_code}").rpartition("\n")
    assert status == "415"
    assert "'Content-Type: application/json'" in json.loads(body)["error"]["message"]


def test_a_get_is_a_405_that_names_the_method(url: str) -> None:
    body, _, status = curl(url, "-w", "\n%{http_code}").rpartition("\n")
    assert status == "405"
    assert "GET" in json.loads(body)["error"]["message"]


def test_the_head_of_a_stream_forbids_buffers_and_caches(url: str) -> None:
    head = curl(url, "-N", "-i", *JSON, "-d", STREAM).partition("\r\n\r\n")[0].lower()
    assert "content-type: text/event-stream" in head
    assert "cache-control: no" in head
    assert "x-accel-buffering: no" in head

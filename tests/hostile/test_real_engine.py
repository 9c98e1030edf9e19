"""Large texts beside the one-token chats of another key, on vLLM on the CPU."""

import itertools
import json
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from gateway.keys.store import new_key
from tests.hostile.bodies import CHAT
from tests.hostile.server import serving

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(240)]

HELLO = [{"role": "user", "content": "Hi"}]
CHATS = 20
LARGE = "large words " * 330_000  # 3.9 MB


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Callable[..., Any]]]:
    folder = tmp_path_factory.mktemp("gateway")
    keys = folder / "keys.yaml"

    def header(name: str, **limits: Any) -> dict[str, str]:
        text = new_key(keys, name, **limits)
        return {"authorization": f"Bearer {text}", "content-type": "application/json"}

    headers = {
        name: header(name, **limits)
        for name, limits in {
            "quick": {}, "large": {}, "one-a-minute": {"requests_per_minute": 1}
        }.items()
    }  # fmt: skip
    device = {"kind": "cpu"}
    with serving(folder, max_model_len=2048, device=device, keys_file=str(keys)) as (url, _):
        yield url, headers.__getitem__


@contextmanager
def flood(
    url: str, path: str, headers: dict[str, str], body: dict[str, Any]
) -> Iterator[list[int]]:
    """Send a request again and again without a pause; yield the list of statuses so far."""
    ended, statuses, numbers = threading.Event(), [], itertools.count()
    raw = json.dumps({"model": "sim"} | body).encode()

    def send() -> None:
        with httpx.Client(headers=headers, timeout=60) as client:
            while not ended.is_set():
                # No two prompts begin with the same text: vLLM caches prefixes.
                content = raw.replace(b"large", b"%d" % next(numbers), 1)
                statuses.append(client.post(url + path, content=content).status_code)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield statuses
    finally:
        ended.set()
        thread.join()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/tokenize", {"prompt": LARGE}),
        ("/tokenize", {"prompt": LARGE[:100_000]}),
        (CHAT, {"messages": [{"role": "user", "content": LARGE}], "max_tokens": 1}),
        ("/v1/completions", {"prompt": LARGE[:100_000], "max_tokens": 1}),
        ("/v1/completions", {"prompt": LARGE[:12_000], "max_tokens": 1}),
    ],
    ids=[
        "tokenize 3.9 MB",
        "tokenize 100 kB",
        "chat 3.9 MB",
        "completion 100 kB",
        "completion of the whole context",
    ],
)
def test_large_texts_do_not_hold_up_the_chat_of_another_key(
    gateway: tuple[str, Callable[[str], dict[str, str]]], path: str, body: dict[str, Any]
) -> None:
    url, headers = gateway
    seconds = []
    chat = {"model": "sim", "messages": HELLO, "max_tokens": 1}
    with httpx.Client(headers=headers("quick"), timeout=60) as client:
        client.post(url + CHAT, json=chat)
        with flood(url, path, headers("large"), body) as statuses:
            for _ in range(CHATS):
                start = time.monotonic()
                assert client.post(url + CHAT, json=chat).status_code == 200
                seconds.append(time.monotonic() - start)
    sys.stdout.write(
        f"\n{path}: {len(statuses)} requests, {sorted(set(statuses))}; one-token chat: "
        f"median {statistics.median(seconds):.2f} s, longest {max(seconds):.2f} s\n"
    )
    assert set(statuses) <= {200, 400, 429}
    assert max(seconds) < 1


def test_a_key_of_one_request_a_minute_tokenizes_one_text(
    gateway: tuple[str, Callable[[str], dict[str, str]]],
) -> None:
    url, headers = gateway
    body = {"model": "sim", "prompt": "Hello"}
    statuses = [
        httpx.post(f"{url}/tokenize", json=body, headers=headers("one-a-minute")).status_code
        for _ in range(4)
    ]
    assert sorted(set(statuses[1:])) in ([429], [200, 429])  # a minute may end in between
    assert statuses.count(200) <= 2

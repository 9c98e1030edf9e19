"""Five hundred clients that disconnect at every moment: no slot stays taken, nothing is queued."""

import random
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.serving import Gateway, answers, ask, served, until

pytestmark = [
    pytest.mark.ray,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("default"),  # Ray's own
]

CLIENTS = 500
AT_ONCE = 32
DEVICE = {
    "kind": "simulated", "prefill_base_ms": 5, "prefill_ms_per_token": 0.01, "decode_base_ms": 5,
    "decode_ms_per_slot": 0,
}  # fmt: skip


@pytest.fixture(scope="module", params=["haproxy", "python", "haproxy, a loop of its own"])
def gateway(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    proxy, _, own_loop = request.param.partition(", ")
    engine = {"max_model_len": 4096, "max_num_seqs": 8, "device": DEVICE}
    args = {"models": [{"id": "sim", "engine": engine}], "proxy": proxy}
    loop = {"RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "1" if own_loop else "0"}
    with served(tmp_path_factory.mktemp("ray"), args, environment=loop) as gateway:
        yield gateway


def disconnect(url: str, number: int) -> None:
    """Send a request, or a part of one, and disconnect a little later."""
    chance = random.Random(number)
    where = urlsplit(url)
    body = ask(url, f"{number}", stream=chance.random() < 0.7, max_tokens=400, ignore_eos=True)
    data = httpx.Request(**body)
    raw = data.read()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: {where.netloc}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(raw)}\r\n\r\n"
    ).encode()
    with socket.create_connection((where.hostname or "", where.port or 80), timeout=10) as wire:
        kind = chance.randrange(4)
        wire.sendall(head if kind == 0 else head + raw)  # 0: the body never comes
        if kind >= 2:  # 1: before any response
            wire.settimeout(chance.random())
            with suppress(TimeoutError):
                wire.recv(1 if kind == 2 else 4096)


def test_five_hundred_clients_that_disconnect_leave_nothing_behind(gateway: Gateway) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda number: disconnect(gateway.url, number), range(CLIENTS)))
    until(lambda: idle(gateway), 2)
    assert answers(gateway)


def idle(gateway: Gateway) -> bool:
    load = gateway.load()
    return (load["running"], load["waiting"]) == (0, 0)

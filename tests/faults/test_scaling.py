"""Replicas that come and go: roll-outs, up, down, to none and back, while streams run."""

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.serving import STEADY, Gateway, answers, ask, served, stream, until

pytestmark = [
    pytest.mark.ray,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("default"),  # Ray's own
]

LONG = {"max_tokens": 400, "ignore_eos": True, "temperature": 0, "stream": True}  # eight seconds


def args(**model: Any) -> dict[str, Any]:
    engine = {"max_model_len": 4096, "max_num_seqs": 4, "device": STEADY}
    return {"models": [{"id": "sim", "engine": engine} | model]}


def whole(frames: list[str]) -> bool:
    return frames[-1] == "[DONE]" and "error" not in json.loads(frames[-2])


@pytest.mark.parametrize("topology", ["one-hop", "two-hops"])
def test_a_roll_out_lets_streams_end_and_gives_new_requests_to_the_new(
    tmp_path: Path, topology: str
) -> None:
    old = args() | {"topology": topology, "models": args()["models"]}
    new = args(aliases=["new"]) | {"topology": topology}
    with served(tmp_path, old) as gateway, ThreadPoolExecutor(3) as pool:
        assert answers(gateway)
        running = [pool.submit(stream, gateway, ask(gateway.url, **LONG)) for _ in range(3)]
        time.sleep(1)
        gateway.deploy(tmp_path, new)
        until(lambda: answers(gateway, model="new"), 60)
        assert all(whole(one.result()) for one in running)


def replicas(gateway: Gateway) -> int:
    return len(gateway.descendants("ray::ServeReplica:gateway:sim"))


def test_replicas_follow_the_load_to_none_and_back(tmp_path: Path) -> None:
    delays = {"upscale_delay_seconds": 1, "downscale_delay_seconds": 2}
    scaled = args(replicas={"min": 0, "max": 2} | delays) | {"topology": "two-hops"}
    with served(tmp_path, scaled) as gateway, ThreadPoolExecutor(12) as pool:
        until(lambda: replicas(gateway) == 0, 60)
        first = time.monotonic()
        answer = httpx.request(**ask(gateway.url, max_tokens=2), timeout=60)
        assert answer.status_code == 200  # it waited for a replica
        assert time.monotonic() - first < 30
        running = [pool.submit(stream, gateway, ask(gateway.url, **LONG)) for _ in range(12)]
        until(lambda: replicas(gateway) == 2, 60)
        assert all(whole(one.result()) for one in running)
        until(lambda: replicas(gateway) == 0, 90)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_lets_streams_end(tmp_path: Path, stop: signal.Signals) -> None:
    with ThreadPoolExecutor(1) as pool:
        with served(tmp_path, args(), end=lambda pid: os.kill(pid, stop)) as gateway:
            running = pool.submit(stream, gateway, ask(gateway.url, **LONG))
            until(lambda: gateway.load()["running"] == 1, 10)
        assert whole(running.result())

"""A replica under Ray Serve: its cores are Ray's, and a new one gets the cores of a dead one."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import wait_until
from tests.engine.neuron.conftest import Lab, lab_in
from tests.serving import Gateway, served, stream

pytestmark = [
    pytest.mark.neuron_lab,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("default"),
]

ASK = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 4}
HANG_SECONDS = 5


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> Iterator[Lab]:
    with lab_in(tmp_path_factory.mktemp("ray"), tiny) as lab:
        yield lab


@pytest.fixture(scope="module")
def gateway(shared: Lab) -> Iterator[Gateway]:
    args = shared.arguments(hang_timeout_seconds=HANG_SECONDS) | {"proxy": "python"}
    environment = {"RAY_AUTH_MODE": "disabled", "HOME": str(shared.folder)}
    with served(shared.folder, args, 240, environment) as gateway:
        yield gateway


def chat(gateway: Gateway, **more: Any) -> dict[str, Any]:
    """Return the arguments of one request."""
    return {"method": "POST", "url": f"{gateway.url}/v1/chat/completions", "json": ASK | more}


def answers(gateway: Gateway) -> bool:
    try:
        return httpx.request(**chat(gateway), timeout=30).status_code == 200
    except httpx.HTTPError:
        return False


def loads(lab: Lab) -> list[dict[str, Any]]:
    return [event for event in lab.events if event["event"] == "load"]


def replaced(lab: Lab, gateway: Gateway, end: Callable[[], object]) -> dict[str, Any]:
    """End the engine and wait until another one answers; return what it loaded."""
    before = loads(lab)
    end()
    wait_until(lambda: len(loads(lab)) > len(before), 120)
    wait_until(lambda: answers(gateway), 60)
    last = loads(lab)[-1]
    assert last["pid"] != before[-1]["pid"]
    return last


def test_a_replica_runs_on_the_cores_that_ray_gave_it(shared: Lab, gateway: Gateway) -> None:
    assert answers(gateway)
    assert [load["visible_cores"] for load in loads(shared)] == ["0-1"]


def test_a_dead_engine_is_replaced_on_the_same_cores(shared: Lab, gateway: Gateway) -> None:
    pid = shared.calls[-1]["pid"]
    last = replaced(shared, gateway, lambda: os.kill(pid, signal.SIGKILL))
    assert last["visible_cores"] == "0-1"


def test_a_stopped_engine_ends_its_stream_and_is_replaced(shared: Lab, gateway: Gateway) -> None:
    request = chat(gateway, max_tokens=200, stream=True)
    stopped = loads(shared)[-1]["pid"]
    frames: list[str] = []

    def stop_in_mid_stream() -> None:
        frames.extend(stream(gateway, request, (5, lambda: os.kill(stopped, signal.SIGSTOP))))

    last = replaced(shared, gateway, stop_in_mid_stream)
    *_, error, done = frames
    assert json.loads(error)["error"]["type"] == "server_error"
    assert done == "[DONE]"
    assert last["visible_cores"] == "0-1"

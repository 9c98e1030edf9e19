"""A replica under Ray Serve: its cores are Ray's, and a new one gets the cores of a dead one."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.conftest import wait_until
from tests.engine.neuron.conftest import Lab, lab_in

pytestmark = [
    pytest.mark.neuron_lab,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("default"),
]

ASK = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 4}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> Iterator[Lab]:
    with lab_in(tmp_path_factory.mktemp("ray"), tiny) as lab:
        yield lab


@pytest.fixture(scope="module")
def url(shared: Lab) -> Iterator[str]:
    port, engine = free_port(), shared.config().model_dump(mode="json", exclude_none=True)
    document = {
        "applications": [
            {
                "import_path": "gateway.serving.ray_app:build_app",
                "args": {"models": [{"id": "tiny", "engine": engine}], "proxy": "python"},
            }
        ]
    }
    file = shared.folder / "gateway.yaml"
    file.write_text(yaml.safe_dump(document))
    log = (shared.folder / "command.log").open("w")
    command = [sys.executable, "-m", "gateway", "serve", str(file), "--port", str(port)]
    ray = {"RAY_AUTH_MODE": "disabled", "HOME": str(shared.folder)}
    process = subprocess.Popen(command, env=os.environ | ray, stdout=log, stderr=log)
    try:
        wait_until(lambda: process.poll() is not None or answers(f"http://127.0.0.1:{port}"), 240)
        assert process.poll() is None, (shared.folder / "command.log").read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def chat(url: str) -> httpx.Response:
    return httpx.post(f"{url}/v1/chat/completions", json=ASK, timeout=30)


def loads(lab: Lab) -> list[dict[str, Any]]:
    return [event for event in lab.events if event["event"] == "load"]


def test_a_replica_runs_on_the_cores_that_ray_gave_it(shared: Lab, url: str) -> None:
    assert chat(url).status_code == 200
    assert [load["visible_cores"] for load in loads(shared)] == ["0-1"]


def test_a_dead_engine_is_replaced_on_the_same_cores(shared: Lab, url: str) -> None:
    os.kill(shared.calls[-1]["pid"], signal.SIGKILL)
    wait_until(lambda: len(loads(shared)) == 2, 120)
    wait_until(lambda: chat(url).status_code == 200, 60)
    assert loads(shared)[1]["visible_cores"] == "0-1"
    assert loads(shared)[1]["pid"] != loads(shared)[0]["pid"]

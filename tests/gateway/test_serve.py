"""The command under Ray Serve, from outside: both proxies, clients that leave, what dies."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import yaml

from gateway.config import APPLICATION_KEYS, FILE_KEYS
from tests.conftest import sdk

pytestmark = [
    pytest.mark.ray,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("default"),  # Ray's own
]

ROOT = Path(__file__).parents[2]
LONG = {"when": "LONG", "reply": "word " * 3000}  # half a minute at 10 ms a token
SIMULATED = {
    "kind": "simulated",
    "prefill_base_ms": 0,
    "prefill_ms_per_token": 0,
    "decode_base_ms": 10,
    "decode_ms_per_slot": 0,
    "scripts": [LONG],
}


class Gateway:
    """A gateway that the command line started, and the processes below it."""

    def __init__(self, url: str, process: "subprocess.Popen[str]") -> None:
        self.url = url
        self._process = process

    def load(self) -> dict[str, Any]:
        """Ask how busy the only model is."""
        answer = httpx.get(f"{self.url}/readyz", timeout=5).json()
        (model,) = answer["models"].values()
        return dict(model)

    def descendants(self, name: str) -> list[int]:
        """Give the ids of the processes below the command whose title has the name in it."""
        parents = dict(_processes())
        return [pid for pid in parents if self._below(pid, parents) and name in _title(pid)]

    def _below(self, pid: int, parents: dict[int, int]) -> bool:
        while pid > 1 and pid != self._process.pid:
            pid = parents.get(pid, 0)
        return pid == self._process.pid


def _processes() -> Iterator[tuple[int, int]]:
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            yield int(path.parent.name), int(path.read_text().rpartition(")")[2].split()[1])


def _title(pid: int) -> str:
    try:
        folder = Path(f"/proc/{pid}")
        return (folder / "cmdline").read_bytes().decode() + (folder / "comm").read_text()
    except OSError:
        return ""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def served(folder: Path, args: dict[str, Any], start_seconds: float = 120) -> Iterator[Gateway]:
    """Run `neuron-gateway serve` until the block ends; it must take everything down with it."""
    application = {"name": "gateway", "import_path": "gateway.serve:build_app", "args": args}
    path = folder / "gateway.yaml"
    path.write_text(yaml.safe_dump({"applications": [application]}))
    port = free_port()
    names = ("RAY_SERVE_HAPROXY_STATS_PORT", "RAY_SERVE_HAPROXY_METRICS_PORT")
    environment = os.environ | {name: str(free_port()) for name in names}
    command = [sys.executable, "-u", "-m", "gateway", "serve", str(path), "--port", str(port)]
    log = (folder / "log").open("w+")
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment | {"RAY_ADDRESS": "local"},
        stdout=log,
        stderr=subprocess.STDOUT,
        text=True,
    )
    gateway = Gateway(f"http://127.0.0.1:{port}", process)
    with process, log:
        try:
            until(lambda: ready(gateway) or process.poll() is not None, start_seconds)
            assert process.poll() is None, (folder / "log").read_text()
            yield gateway
            below = gateway.descendants("")
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)
        assert process.returncode in (0, 130), (folder / "log").read_text()
        until(lambda: not any(_title(pid) for pid in below if pid != process.pid), 10)


def ready(gateway: Gateway) -> bool:
    try:
        return httpx.get(f"{gateway.url}/readyz", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def until(true: Callable[[], object], seconds: float) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


def simulated(device: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    engine = {"max_model_len": 8192, "max_num_seqs": 2, "device": SIMULATED | (device or {})}
    return {"models": [{"id": "sim", "engine": engine}], **more}


def ask(url: str, content: str = "Hello", **more: Any) -> dict[str, Any]:
    """Make the arguments of one request."""
    body = {"model": "sim", "messages": [{"role": "user", "content": content}], **more}
    return {"method": "POST", "url": f"{url}/v1/chat/completions", "json": body}


def answers(gateway: Gateway, **more: Any) -> bool:
    """Say whether one short request succeeds now."""
    more = {"max_tokens": 2, "timeout": 10} | more
    timeout = more.pop("timeout")
    try:
        return httpx.request(**ask(gateway.url, **more), timeout=timeout).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.fixture(scope="module", params=["haproxy", "python"])
def gateway(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with served(tmp_path_factory.mktemp("ray"), simulated(proxy=request.param)) as gateway:
        yield gateway


def test_the_sdk_streams_through_serve(gateway: Gateway) -> None:
    with sdk(gateway.url) as client:
        stream = client.chat.completions.create(
            model="sim", messages=[{"role": "user", "content": "Hello"}], stream=True, max_tokens=8
        )
        arrivals = [time.monotonic() for chunk in stream if chunk.choices[0].delta.content]
    assert len(arrivals) == 8
    assert arrivals[-1] - arrivals[0] > 0.03  # not held back and sent at once


def test_a_refusal_keeps_its_status_and_shape(gateway: Gateway) -> None:
    with sdk(gateway.url) as client, pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="sim", messages=[], extra_body={"colour": "red"})
    assert caught.value.type == "invalid_request_error"


def test_one_request_id_is_sent_and_the_clients_own_is_kept(gateway: Gateway) -> None:
    answer = httpx.request(**ask(gateway.url, max_tokens=1), headers={"x-request-id": "mine-1"})
    assert answer.headers.get_list("x-request-id") == ["mine-1"]


def test_a_client_that_leaves_a_stream_frees_its_slot(gateway: Gateway) -> None:
    with httpx.stream(**ask(gateway.url, "LONG", stream=True), timeout=10) as answer:
        lines = answer.iter_lines()  # dropping it would close the connection
        next(lines)
        until(lambda: gateway.load()["running"] == 1, 5)
    until(lambda: gateway.load()["running"] == 0, 1)


def test_a_client_that_leaves_without_streaming_frees_its_slot(gateway: Gateway) -> None:
    with pytest.raises(httpx.ReadTimeout):
        httpx.request(**ask(gateway.url, "LONG"), timeout=1)
    until(lambda: gateway.load()["running"] == 0, 1)


def test_a_client_that_leaves_before_its_first_token_frees_its_place(gateway: Gateway) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(2):  # all slots
            busy = httpx.stream(**ask(gateway.url, "LONG", stream=True), timeout=10)
            stack.enter_context(busy)
        until(lambda: gateway.load()["running"] == 2, 5)
        with pytest.raises(httpx.ReadTimeout):
            httpx.request(**ask(gateway.url, "LONG", stream=True), timeout=1)
        until(lambda: gateway.load() | {"waiting": 0, "running": 2} == gateway.load(), 1)
    until(lambda: gateway.load()["running"] == 0, 1)


def test_a_killed_replica_is_replaced_without_help(gateway: Gateway) -> None:
    (replica,) = gateway.descendants("ray::ServeReplica")
    os.kill(replica, signal.SIGKILL)
    until(lambda: answers(gateway), 60)
    assert gateway.descendants("ray::ServeReplica") != [replica]


def test_a_dead_engine_ends_its_stream_with_a_frame_and_is_replaced(tmp_path: Path) -> None:
    args = simulated({"faults": {"die_at_token": 5}})
    with served(tmp_path, args) as gateway:
        frames = stream(gateway, ask(gateway.url, stream=True))
        assert "error" in json.loads(frames[-2])
        assert frames[-1] == "[DONE]"
        until(lambda: answers(gateway), 60)


@pytest.mark.vllm
def test_a_killed_engine_core_is_reported_and_replaced(tmp_path: Path) -> None:
    engine = {"max_num_seqs": 4, "device": {"kind": "cpu", "kv_cache_gib": 0.5}}
    args = {"models": [{"id": "sim", "engine": engine}]}
    with served(tmp_path, args, start_seconds=240) as gateway:

        def kill() -> None:
            # EngineCore is the replica's forked child, and has kept its title.
            parents, both = dict(_processes()), gateway.descendants("ray::ServeReplica")
            (core,) = (pid for pid in both if parents[pid] in both)
            os.kill(core, signal.SIGKILL)

        request = ask(gateway.url, "Count to a thousand.", stream=True, max_tokens=1000)
        frames = stream(gateway, request, after=(3, kill))
        assert "error" in json.loads(frames[-2])
        assert frames[-1] == "[DONE]"
        until(lambda: answers(gateway), 240)


def stream(
    gateway: Gateway, request: dict[str, Any], after: tuple[int, Callable[[], None]] | None = None
) -> list[str]:
    """Collect the data of all frames; do something after a number of them."""
    frames: list[str] = []
    with httpx.stream(**request, timeout=60) as answer:
        for line in answer.iter_lines():
            if line.startswith("data: "):
                frames.append(line.removeprefix("data: "))
                if after is not None and len(frames) == after[0]:
                    after[1]()
    return frames


def test_a_misspelt_argument_is_refused_by_the_builder() -> None:
    from pydantic import ValidationError
    from ray.serve._private.api import call_user_app_builder_with_args_if_necessary

    from gateway.serve import build_app

    with pytest.raises(ValidationError, match=r"limitz"):
        call_user_app_builder_with_args_if_necessary(build_app, {"limitz": {}})


def test_the_builders_annotation_is_a_class_that_ray_can_read() -> None:
    source = (ROOT / "gateway" / "serve.py").read_text()
    assert not re.search(r"^from __future__ import annotations", source, re.MULTILINE)


def test_the_known_keys_of_a_file_are_rays() -> None:
    from ray.serve.schema import ServeApplicationSchema, ServeDeploySchema

    assert set(ServeDeploySchema.model_fields) == FILE_KEYS
    assert set(ServeApplicationSchema.model_fields) == APPLICATION_KEYS

"""The command under Ray Serve, from outside: both proxies, disconnects, processes that die."""

import contextlib
import gzip
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
import psutil
import pytest
from backports import zstd

from gateway.config import APPLICATION_KEYS, FILE_KEYS
from tests.conftest import sdk
from tests.raw_http import BODY, CHAT, speak_http10
from tests.raw_http import ask as send
from tests.serving import ROOT, Gateway, answers, ask, free_port, processes, served, stream, until

pytestmark = [
    pytest.mark.ray,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("default"),  # Ray's own
]

SIMULATED_FILE = str(ROOT / "deploy/serve/simulated.yaml")
LONG = {"when": "LONG", "reply": "word " * 3000}  # half a minute at 10 ms a token
SIMULATED = {
    "kind": "simulated",
    "prefill_base_ms": 0,
    "prefill_ms_per_token": 0,
    "decode_base_ms": 10,
    "decode_ms_per_slot": 0,
    "scripts": [LONG],
}


def simulated(device: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    engine = {"max_model_len": 8192, "max_num_seqs": 2, "device": SIMULATED | (device or {})}
    return {"models": [{"id": "sim", "engine": engine}], **more}


@pytest.fixture(scope="module", params=["haproxy", "python"])
def gateway(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("ray")
    with served(folder, simulated(proxy=request.param)) as gateway:
        yield gateway
    # The last tests kill what is replaced. Serve's end is no failure.
    assert "infinite retries" not in (folder / "log").read_text()


def test_the_sdk_streams_through_serve(gateway: Gateway) -> None:
    with sdk(gateway.url) as client:
        stream = client.chat.completions.create(
            model="sim", messages=[{"role": "user", "content": "Hello"}], stream=True, max_tokens=8
        )
        arrivals = [time.monotonic() for chunk in stream if chunk.choices[0].delta.content]
    assert len(arrivals) == 8
    assert arrivals[-1] - arrivals[0] > 0.03  # not held back and sent at once


def test_an_error_keeps_its_status_and_shape(gateway: Gateway) -> None:
    with sdk(gateway.url) as client, pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="sim", messages=[], extra_body={"colour": "red"})
    assert caught.value.type == "invalid_request_error"


def test_a_path_that_the_app_does_not_know_is_its_own_404(gateway: Gateway) -> None:
    answer = httpx.get(f"{gateway.url}/v1/nothing")
    assert answer.status_code == 404
    assert answer.json()["error"]["message"].startswith("Unknown request URL")


@pytest.mark.parametrize("stream", [True, False])
def test_an_http10_client_gets_no_transfer_coding(gateway: Gateway, stream: bool) -> None:
    wanted = "keep-alive" if stream else "close"  # a stream has no length, so it cannot be kept
    answer = speak_http10(gateway.url, "POST", CHAT, BODY | {"stream": stream}, wanted)
    head, _, content = answer.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert content.endswith(b"data: [DONE]\n\n") if stream else json.loads(content)["choices"]


def test_an_http10_client_gets_an_error(gateway: Gateway) -> None:
    head, _, content = speak_http10(gateway.url, "POST", CHAT, {}).partition(b"\r\n\r\n")
    assert b" 400 " in head.partition(b"\r\n")[0]
    assert json.loads(content)["error"]["param"]


@pytest.mark.parametrize("path", ["/", "/v1/models", "/healthz", "/health", "/ping", "/version"])
def test_head_is_answered_as_get_without_the_body(gateway: Gateway, path: str) -> None:
    get, head = httpx.get(gateway.url + path), httpx.head(gateway.url + path)
    assert (get.status_code, head.status_code, head.content) == (200, 200, b"")
    assert head.headers["content-length"] == str(len(get.content))
    assert head.headers.get("content-type") == get.headers.get("content-type")


@pytest.mark.parametrize(("coding", "encode"), [("gzip", gzip.compress), ("zstd", zstd.compress)])
def test_a_body_is_decoded(gateway: Gateway, coding: str, encode: Callable[[bytes], bytes]) -> None:
    headers = {"content-encoding": coding, "content-type": "application/json"}
    for body, status in ((json.dumps(BODY).encode(), 200), (b" " * 50 * 2**20, 413)):
        answer = httpx.post(gateway.url + CHAT, content=encode(body), headers=headers)
        assert answer.status_code == status


def test_another_coding_is_a_415(gateway: Gateway) -> None:
    headers = {"content-encoding": "br", "content-type": "application/json"}
    answer = httpx.post(gateway.url + CHAT, content=b"{}", headers=headers)
    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "gzip, deflate, zstd")


def test_slips_in_a_path_are_served_or_named(gateway: Gateway) -> None:
    for target in (f"{CHAT}/", "/v1//chat/completions", "//v1/chat/completions"):
        assert send(gateway.url, target, "POST", json=BODY)[0] == 200
    assert json.loads(send(gateway.url, "/v1/models/")[1])["object"] == "list"
    for target in ("/v1/v1/chat/completions", "/chat/completions"):
        status, body = send(gateway.url, target, "POST", json=BODY)
        assert (status, b"Did you mean POST /v1/chat/completions?" in body) == (404, True)


def test_a_second_command_on_its_port_is_refused(gateway: Gateway) -> None:
    port = gateway.url.rpartition(":")[2]
    command = [sys.executable, "-m", "gateway", "serve", SIMULATED_FILE, "--port", port]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.returncode == 2
    assert f"--port: 127.0.0.1:{port} cannot be used (Address already in use)" in done.stderr
    assert answers(gateway)


def test_one_request_id_is_sent_and_the_clients_own_is_kept(gateway: Gateway) -> None:
    answer = httpx.request(**ask(gateway.url, max_tokens=1), headers={"x-request-id": "mine-1"})
    assert answer.headers.get_list("x-request-id") == ["mine-1"]


def test_a_client_that_disconnects_from_a_stream_frees_its_slot(gateway: Gateway) -> None:
    with httpx.stream(**ask(gateway.url, "LONG", stream=True), timeout=10) as answer:
        lines = answer.iter_lines()  # dropping it would close the connection
        next(lines)
        until(lambda: gateway.load()["running"] == 1, 5)
    until(lambda: gateway.load()["running"] == 0, 1)


def test_a_client_that_disconnects_without_streaming_frees_its_slot(gateway: Gateway) -> None:
    with pytest.raises(httpx.ReadTimeout):
        httpx.request(**ask(gateway.url, "LONG"), timeout=1)
    until(lambda: gateway.load()["running"] == 0, 1)


def test_a_client_that_disconnects_before_its_first_token_leaves_the_queue(
    gateway: Gateway,
) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(2):  # all slots
            busy = httpx.stream(**ask(gateway.url, "LONG", stream=True), timeout=10)
            stack.enter_context(busy)
        until(lambda: gateway.load()["running"] == 2, 5)
        with pytest.raises(httpx.ReadTimeout):
            httpx.request(**ask(gateway.url, "LONG", stream=True), timeout=1)
        until(lambda: gateway.load() | {"waiting": 0, "running": 2} == gateway.load(), 1)
    until(lambda: gateway.load()["running"] == 0, 1)


def test_a_replica_has_the_priority_of_the_command(gateway: Gateway) -> None:
    (replica,) = gateway.descendants("ray::ServeReplica")
    assert os.getpriority(os.PRIO_PROCESS, replica) == os.getpriority(os.PRIO_PROCESS, 0)


def test_haproxy_listens_on_loopback_alone(gateway: Gateway) -> None:
    haproxies = gateway.descendants("bin/haproxy")
    sockets = [c for pid in haproxies for c in psutil.Process(pid).net_connections("tcp")]
    listening = {c.laddr.ip for c in sockets if c.status == psutil.CONN_LISTEN}
    assert listening == ({"127.0.0.1"} if haproxies else set())


def test_a_killed_replica_is_replaced_without_help(gateway: Gateway) -> None:
    (replica,) = gateway.descendants("ray::ServeReplica")
    os.kill(replica, signal.SIGKILL)
    until(lambda: answers(gateway), 60)
    assert gateway.descendants("ray::ServeReplica") != [replica]


def test_a_killed_proxy_is_back_within_seconds(gateway: Gateway) -> None:
    proxies = gateway.descendants("ray::HAProxyManager") or gateway.descendants("ray::ProxyActor")
    (proxy,) = proxies
    os.kill(proxy, signal.SIGKILL)
    until(lambda: not answers(gateway), 10)
    until(lambda: answers(gateway), 20)


@pytest.mark.parametrize("kill", [os.kill, os.killpg], ids=["command", "process group"])
def test_nothing_outlives_a_killed_command(
    tmp_path: Path, kill: Callable[[int, int], None]
) -> None:
    with served(tmp_path, simulated(), end=lambda pid: kill(pid, signal.SIGKILL)) as gateway:
        assert answers(gateway)
    # `served` has waited until no process was left.
    with socket.create_server(("127.0.0.1", int(gateway.url.rpartition(":")[2]))):
        pass


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
            parents, both = dict(processes()), gateway.descendants("ray::ServeReplica")
            (core,) = (pid for pid in both if parents[pid] in both)
            os.kill(core, signal.SIGKILL)

        request = ask(
            gateway.url, "Count to a thousand.", stream=True, max_tokens=1000, ignore_eos=True
        )
        frames = stream(gateway, request, after=(3, kill))
        assert "error" in json.loads(frames[-2])
        assert frames[-1] == "[DONE]"
        until(lambda: answers(gateway), 240)


def test_a_wrong_address_of_a_cluster_ends_the_command_with_one_line() -> None:
    command = [sys.executable, "-m", "gateway", "serve", SIMULATED_FILE]
    done = subprocess.run(
        [*command, "--port", str(free_port())],
        env=os.environ | {"RAY_ADDRESS": "nonsense"}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("Ray did not start: ")
    assert "Traceback" not in done.stderr


def test_a_misspelt_argument_is_rejected_by_the_builder() -> None:
    from pydantic import ValidationError
    from ray.serve._private.api import call_user_app_builder_with_args_if_necessary

    from gateway.serving.ray_app import build_app

    with pytest.raises(ValidationError, match=r"limitz"):
        call_user_app_builder_with_args_if_necessary(build_app, {"limitz": {}})


def test_the_builders_annotation_is_a_class_that_ray_can_read() -> None:
    source = (ROOT / "gateway" / "serving" / "ray_app.py").read_text()
    assert not re.search(r"^from __future__ import annotations", source, re.MULTILINE)


def test_the_known_keys_of_a_config_file_are_rays() -> None:
    from ray.serve.schema import ServeApplicationSchema, ServeDeploySchema

    assert set(ServeDeploySchema.model_fields) == FILE_KEYS
    assert set(ServeApplicationSchema.model_fields) == APPLICATION_KEYS

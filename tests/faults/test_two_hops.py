"""Two hops under Ray Serve: several models, and replicas that die during streams."""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
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

SLOW_PREFILL = STEADY | {"prefill_base_ms": 3000}


def model(name: str, device: dict[str, Any] = STEADY, **more: Any) -> dict[str, Any]:
    engine = {"max_model_len": 4096, "max_num_seqs": 8, "device": device}
    return {"id": name, "engine": engine} | more


@pytest.fixture(scope="module", params=["haproxy", "python"])
def gateway(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    models = [
        model("sim", replicas=2, aliases=["other-name"]),
        model("org/slow", SLOW_PREFILL, replicas=2),
    ]
    args = {"models": models, "proxy": request.param}
    with served(tmp_path_factory.mktemp("ray"), args) as gateway:
        yield gateway


def replicas(gateway: Gateway, name: str) -> list[int]:
    """Return the processes of a model's replicas; Ray titles them with the deployment's name."""
    return gateway.descendants(f"ray::ServeReplica:gateway:{name}")


def busy(gateway: Gateway, name: str) -> list[int]:
    """Return the replicas, those that generate tokens first: they use the most CPU time."""

    def used(pid: int) -> int:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    before = {pid: used(pid) for pid in replicas(gateway, name)}
    time.sleep(0.5)
    return sorted(before, key=lambda pid: before[pid] - used(pid))


def kill_all(gateway: Gateway, name: str) -> None:
    for pid in replicas(gateway, name):
        os.kill(pid, signal.SIGKILL)


def content(frames: list[str]) -> str:
    chunks = [json.loads(frame) for frame in frames if frame != "[DONE]"]
    return "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"])


LONG = {"max_tokens": 150, "ignore_eos": True, "temperature": 0, "stream": True}


def test_both_models_answer_by_any_of_their_names(gateway: Gateway) -> None:
    def listed() -> list[tuple[str, str]]:
        models = httpx.get(f"{gateway.url}/v1/models").json()["data"]
        return [(model["id"], model["phase"]) for model in models]

    assert [name for name, _ in listed()] == ["sim", "org/slow"]  # with those that load
    until(lambda: listed() == [("sim", "ready"), ("org/slow", "ready")], 30)
    for name in ("sim", "other-name", "org/slow"):
        answer = httpx.request(**ask(gateway.url, model=name, max_tokens=2), timeout=10)
        assert (answer.status_code, answer.json()["model"]) == (200, name)


def test_a_stream_whose_replica_was_killed_continues_where_it_was(gateway: Gateway) -> None:
    request = ask(gateway.url, **LONG, stream_options={"include_usage": True})
    whole = stream(gateway, request)
    broken = stream(
        gateway, request, after=(10, lambda: os.kill(busy(gateway, "sim")[0], signal.SIGKILL))
    )
    assert content(broken) == content(whole)
    assert json.loads(broken[-2])["usage"] == json.loads(whole[-2])["usage"]
    assert broken[-1] == "[DONE]"
    until(lambda: len(replicas(gateway, "sim")) == 2, 60)


def test_many_streams_all_outlive_a_replica(gateway: Gateway) -> None:
    request = ask(gateway.url, **LONG)
    whole = content(stream(gateway, request))
    with ThreadPoolExecutor(6) as pool:
        running = [pool.submit(stream, gateway, request) for _ in range(6)]
        time.sleep(1)
        os.kill(replicas(gateway, "sim")[0], signal.SIGKILL)
        assert [content(one.result()) for one in running] == [whole] * 6
    until(lambda: len(replicas(gateway, "sim")) == 2, 60)


def test_a_stream_that_cannot_continue_ends_with_an_error_frame(gateway: Gateway) -> None:
    request = ask(gateway.url, **LONG, logprobs=True)
    frames = stream(gateway, request, after=(10, lambda: kill_all(gateway, "sim")))
    assert json.loads(frames[-2])["error"]["code"] == "engine_unavailable"
    assert frames[-1] == "[DONE]"
    until(lambda: answers(gateway), 60)


def test_a_request_without_a_token_yet_is_sent_again(gateway: Gateway) -> None:
    with ThreadPoolExecutor(1) as pool:
        asked = ask(gateway.url, model="org/slow", max_tokens=3)
        running = pool.submit(lambda: httpx.request(**asked, timeout=60))
        time.sleep(1.5)
        kill_all(gateway, "org_slow")
        assert running.result().status_code == 200
    until(lambda: len(replicas(gateway, "org_slow")) == 2, 60)


def test_a_client_that_disconnects_frees_its_slot_on_the_replica(gateway: Gateway) -> None:
    with httpx.stream(**ask(gateway.url, **LONG | {"max_tokens": 2000}), timeout=10) as answer:
        lines = answer.iter_lines()
        next(lines)
        until(lambda: busy_slots(gateway) == 1, 5)
    until(lambda: busy_slots(gateway) == 0, 2)


def health(gateway: Gateway) -> dict[str, Any]:
    return dict(httpx.get(f"{gateway.url}/readyz", timeout=10).json()["models"]["sim"])


def busy_slots(gateway: Gateway) -> int:
    return int(health(gateway)["running"])


def test_a_replica_that_hangs_does_not_hide_the_other(gateway: Gateway) -> None:
    until(lambda: health(gateway)["replicas"] == 2, 30)
    (hung, _) = replicas(gateway, "sim")
    os.kill(hung, signal.SIGSTOP)
    try:
        until(lambda: health(gateway)["replicas"] == 1, 20)
        assert (health(gateway)["phase"], health(gateway)["slots"]) == ("ready", 8)
    finally:
        os.kill(hung, signal.SIGCONT)
    until(lambda: health(gateway)["replicas"] == 2, 20)


def test_an_error_of_a_replica_keeps_its_status_and_shape(gateway: Gateway) -> None:
    refused = httpx.request(**ask(gateway.url, messages=[{"role": "user", "content": "x " * 9000}]))
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "context_length_exceeded"


def test_a_replica_tokenizes(gateway: Gateway) -> None:
    tokenized = httpx.post(f"{gateway.url}/tokenize", json={"model": "sim", "prompt": "the river"})
    text = httpx.post(
        f"{gateway.url}/detokenize", json={"model": "sim", "tokens": tokenized.json()["tokens"]}
    )
    assert text.json()["prompt"] == "the river"


def test_a_killed_controller_cuts_no_stream(gateway: Gateway) -> None:
    (controller,) = gateway.descendants("ray::ServeController")
    frames = stream(
        gateway, ask(gateway.url, **LONG), after=(5, lambda: os.kill(controller, signal.SIGKILL))
    )
    assert frames[-1] == "[DONE]"
    assert "error" not in json.loads(frames[-2])
    until(lambda: answers(gateway), 30)


def test_a_killed_proxy_is_replaced(gateway: Gateway) -> None:
    proxies = gateway.descendants("haproxy") or gateway.descendants("ray::ProxyActor")
    ended = threading.Event()

    def watch() -> None:
        try:
            stream(gateway, ask(gateway.url, **LONG))
        except httpx.HTTPError:
            ended.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    time.sleep(1)
    for pid in proxies:
        os.kill(pid, signal.SIGKILL)
    watcher.join(30)
    assert ended.is_set()  # a killed proxy can only close its connections
    until(lambda: answers(gateway), 60)

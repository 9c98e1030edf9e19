"""The real engine on the CPU: its process dies during a stream, which another one continues."""

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.test_two_hops import content
from tests.serving import Gateway, answers, ask, processes, served, stream, until

pytestmark = [
    pytest.mark.ray,
    pytest.mark.vllm,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("default"),  # Ray's and vLLM's own
]

ENGINE = {"max_num_seqs": 4, "max_model_len": 1024, "device": {"kind": "cpu", "kv_cache_gib": 0.5}}
COUNT = {"content": "Count to a hundred.", "max_tokens": 200, "temperature": 0, "stream": True}
WHOLE = {"ignore_eos": True, "stream_options": {"include_usage": True}}


def engine_cores(gateway: Gateway) -> dict[int, int]:
    """Return the CPU time of each EngineCore, a child of its replica that kept the title."""
    parents, both = dict(processes()), gateway.descendants("ray::ServeReplica:gateway:sim")
    cores = [pid for pid in both if parents.get(pid) in both]  # some may be new
    return {pid: _used(pid) for pid in cores}


def _used(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def tokens(frames: list[str]) -> int:
    return int(json.loads(frames[-2])["usage"]["completion_tokens"])


def test_a_stream_outlives_the_engine_core_of_its_replica(tmp_path: Path) -> None:
    models = [{"id": "sim", "replicas": 2, "engine": ENGINE}]
    args = {"models": models, "topology": "two-hops", "limits": {"failover_timeout_seconds": 60}}
    with served(tmp_path, args, start_seconds=300) as gateway:
        request = ask(gateway.url, **COUNT, **WHOLE)
        whole = stream(gateway, request)
        idle = engine_cores(gateway)

        def kill_the_busy_one() -> None:
            now = engine_cores(gateway)
            os.kill(max(now, key=lambda pid: now[pid] - idle[pid]), signal.SIGKILL)

        broken = stream(gateway, request, after=(20, kill_the_busy_one))
        # Up to there it is the same text. After it a prefill replaces steps, and where a CPU
        # rounds the two differently (AMX does) the likeliest token may be another.
        before = content(broken[:20])
        assert content(broken).startswith(before)
        assert content(whole).startswith(before)
        assert tokens(broken) == tokens(whole) == 200
        assert broken[-1] == "[DONE]"
        until(lambda: len(engine_cores(gateway)) == 2, 240)
        assert answers(gateway, timeout=60)


def test_a_stop_lets_the_streams_of_the_real_engine_end(tmp_path: Path) -> None:
    args = {"models": [{"id": "sim", "engine": ENGINE}]}
    long = COUNT | WHOLE | {"max_tokens": 300}  # /readyz shows it a second later
    with ThreadPoolExecutor(1) as pool:
        with served(tmp_path, args, start_seconds=240) as gateway:
            running = pool.submit(stream, gateway, ask(gateway.url, **long))
            until(lambda: gateway.load()["running"] == 1, 10)
        frames = running.result()
    assert frames[-1] == "[DONE]"
    assert "error" not in json.loads(frames[-2])

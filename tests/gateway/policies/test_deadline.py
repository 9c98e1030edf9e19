"""Time limits: each ends in a 504 or an error frame, frees its slot, and is never a 408."""

import asyncio
import json
from dataclasses import replace

import httpx
import pytest

from engine import DeadlineExceeded, Engine, EngineBackend, EngineConfig, Simulated, create_engine
from gateway.policies.deadline import Deadline, TimeLimits
from tests.conftest import Serve, wait_until
from tests.engine.contract import EngineContract, collect, request

CHAT = {"model": "sim", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 500}
SLOW = {"time_scale": 1, "prefill_base_ms": 0, "decode_base_ms": 20, "decode_ms_per_slot": 0}


class TestDeadline(EngineContract):
    @pytest.fixture
    def engine(self, backend: EngineBackend) -> Engine:
        return Deadline(backend, TimeLimits(60, 60, 60))


async def test_a_reader_who_does_not_read_is_not_late(backend: EngineBackend) -> None:
    deltas = Deadline(backend, TimeLimits(60, 60, 0.05)).generate(request())
    await anext(deltas)
    await asyncio.sleep(0.2)
    assert (await collect(deltas))[-1].finish_reason == "length"


async def test_the_requests_own_limit_counts_where_it_is_shorter() -> None:
    device = Simulated(kind="simulated", faults={"stall_at_token": 2})  # type: ignore[arg-type]
    engine = create_engine("sim", EngineConfig(max_num_seqs=4, device=device))
    await engine.start()
    one = replace(request(), timeout_seconds=0.2)
    with pytest.raises(DeadlineExceeded, match=r"longer than 0\.2 s"):
        await collect(Deadline(engine, TimeLimits(60, 60, 60)).generate(one))
    assert engine.load.running == 0
    await engine.close()


def idle(url: str) -> bool:
    return httpx.get(f"{url}/readyz").json()["models"]["sim"]["running"] == 0


def ends(url: str) -> dict[str, str]:
    """Give the error of a streamed request, which is its last frame but one."""
    answer = httpx.post(f"{url}/v1/chat/completions", json=CHAT | {"stream": True})
    *_, error, done = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
    assert (answer.status_code, done) == (200, "[DONE]")
    return dict(json.loads(error)["error"])


def test_a_stream_that_stalls_ends_with_an_error_frame_and_frees_its_slot(serve: Serve) -> None:
    url = serve({"faults": {"stall_at_token": 3}}, limits={"inter_token_timeout_seconds": 0.3})
    error = ends(url)
    assert (error["type"], error["code"]) == ("server_error", "deadline_exceeded")
    wait_until(lambda: idle(url))


def test_a_stream_that_is_too_long_ends_with_an_error_frame(serve: Serve) -> None:
    url = serve(SLOW, limits={"max_request_seconds": 0.5})
    assert ends(url)["code"] == "deadline_exceeded"
    wait_until(lambda: idle(url))


@pytest.mark.parametrize("stream", [False, True])
def test_without_a_first_token_in_time_it_is_a_504_that_no_sdk_retries(
    serve: Serve, stream: bool
) -> None:
    url = serve({"faults": {"stall_at_token": 0}}, limits={"ttft_timeout_seconds": 0.3})
    answer = httpx.post(f"{url}/v1/chat/completions", json=CHAT | {"stream": stream})
    assert answer.status_code == 504
    assert answer.headers["x-should-retry"] == "false"
    assert answer.json()["error"]["code"] == "deadline_exceeded"
    wait_until(lambda: idle(url))


def test_a_whole_answer_that_is_too_long_is_a_504(serve: Serve) -> None:
    url = serve(SLOW, limits={"max_request_seconds": 0.5})
    assert httpx.post(f"{url}/v1/chat/completions", json=CHAT).status_code == 504
    wait_until(lambda: idle(url))


def test_no_work_is_done_beyond_the_patience_of_the_sdk(serve: Serve) -> None:
    url = serve(SLOW)
    body = CHAT | {"ignore_eos": True}
    told = {"x-stainless-read-timeout": "0.3"}
    answer = httpx.post(f"{url}/v1/chat/completions", json=body, headers=told)
    assert answer.status_code == 504
    wait_until(lambda: idle(url))


@pytest.mark.parametrize("told", ["", "nonsense", "-1", "nan", "inf"])
def test_a_patience_that_is_none_is_no_limit(serve: Serve, told: str) -> None:
    url = serve()
    headers = {"x-stainless-read-timeout": told}
    assert httpx.post(f"{url}/v1/chat/completions", json=CHAT, headers=headers).is_success

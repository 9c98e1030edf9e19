"""Time limits: each ends in a 504 or an error frame, frees its slot, and is never a 408."""

import asyncio
import json
from dataclasses import replace

import httpx
import pytest

from engine import DeadlineExceeded, Engine, EngineBackend
from gateway.config import Limits
from gateway.policies.deadline import Deadline
from tests.conftest import Serve, wait_until
from tests.engine.contract import EngineContract, collect, request
from tests.gateway.policies.engines import steady_engine
from tests.virtual_time import run_in_virtual_time


def limits(request: float, first_token: float, inter_token: float) -> Limits:
    return Limits(
        max_request_seconds=request,
        ttft_timeout_seconds=first_token,
        inter_token_timeout_seconds=inter_token,
    )


CHAT = {"model": "sim", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 500}
SLOW = {"time_scale": 1, "prefill_base_ms": 0, "decode_base_ms": 20, "decode_ms_per_slot": 0}


class TestDeadline(EngineContract):
    @pytest.fixture
    def engine(self, backend: EngineBackend) -> Engine:
        return Deadline(backend, limits(60, 60, 60))


STALLS: dict[str, tuple[Limits, int, float | None, str, float]] = {
    "no first token": (limits(60, 10, 5), 0, None, "no first token within 10 s", 10),
    "no further token": (limits(60, 10, 5), 3, None, "no token for 5 s", 5.06),
    "the whole request": (limits(3, 10, 5), 3, None, "longer than 3 s", 3),
    "the client's timeout": (limits(60, 60, 60), 2, 0.2, r"longer than 0\.2 s", 0.2),
    "a longer timeout": (limits(60, 10, 5), 0, 90.0, "no first token within 10 s", 10),
}


@pytest.mark.parametrize(
    ("limits", "stall_at", "timeout", "message", "seconds"), STALLS.values(), ids=STALLS
)
def test_a_stream_that_stalls_ends_at_its_limit_and_frees_its_slot(
    limits: Limits, stall_at: int, timeout: float | None, message: str, seconds: float
) -> None:
    async def scenario() -> None:
        async with steady_engine(faults={"stall_at_token": stall_at}) as engine:
            stalls = replace(request(), timeout_seconds=timeout)
            with pytest.raises(DeadlineExceeded, match=message):
                await collect(Deadline(engine, limits).generate(stalls))
            assert asyncio.get_running_loop().time() == pytest.approx(seconds, abs=0.03)
            assert engine.load.running == 0

    run_in_virtual_time(scenario())


def test_a_reader_who_does_not_read_is_not_late() -> None:
    async def scenario() -> None:
        async with steady_engine() as engine:
            deltas = Deadline(engine, limits(60, 60, 0.05)).generate(request())
            await anext(deltas)
            await asyncio.sleep(30)
            assert (await collect(deltas))[-1].finish_reason == "length"

    run_in_virtual_time(scenario())


def test_a_cancellation_from_outside_is_no_deadline() -> None:
    async def scenario() -> None:
        async with steady_engine(faults={"stall_at_token": 0}) as engine:
            late = Deadline(engine, limits(60, 10, 5)).generate(request())
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(10):  # at the same moment
                    await collect(late)

    run_in_virtual_time(scenario())


def idle(url: str) -> bool:
    return httpx.get(f"{url}/readyz").json()["models"]["sim"]["running"] == 0


def ends(url: str) -> dict[str, str]:
    """Return the error of a streamed request, which is its last frame but one."""
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


def test_no_request_outlives_the_timeout_of_the_sdk(serve: Serve) -> None:
    url = serve(SLOW)
    body = CHAT | {"ignore_eos": True}
    headers = {"x-stainless-read-timeout": "0.3"}
    answer = httpx.post(f"{url}/v1/chat/completions", json=body, headers=headers)
    assert answer.status_code == 504
    wait_until(lambda: idle(url))


@pytest.mark.parametrize("timeout", ["", "nonsense", "-1", "nan", "inf"])
def test_an_invalid_timeout_of_the_sdk_is_no_limit(serve: Serve, timeout: str) -> None:
    url = serve()
    headers = {"x-stainless-read-timeout": timeout}
    assert httpx.post(f"{url}/v1/chat/completions", json=CHAT, headers=headers).is_success

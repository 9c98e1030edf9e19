"""The limits of a key: the requests and tokens of a minute, and its open requests."""

import asyncio
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from engine import QuotaExceeded, TokenDelta, Usage
from gateway.caller import ANYONE, Caller
from gateway.keys.rate_limit import Charge, Estimate, RateLimiter, duration
from gateway.keys.store import new_key
from tests.conftest import Clock, Serve, wait_until

CHAT = {"model": "sim", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 20}
SLOW = {"time_scale": 1, "prefill_base_ms": 0, "decode_base_ms": 20, "decode_ms_per_slot": 0}


@pytest.fixture(params=["memory", "redis"])
def storage(request: pytest.FixtureRequest) -> str:
    if request.param == "memory":
        return "memory"
    url: str = request.getfixturevalue("redis_url")
    return f"{url}/{request.node.name.__hash__() % 16}"


class Users:
    """Keys with limits, and gateways that have them in their file."""

    def __init__(self, serve: Serve, file: Path, storage: str) -> None:
        self._serve = serve
        self._file = file
        self._storage = storage

    def key(self, **limits: Any) -> dict[str, str]:
        name = f"user-{time.monotonic_ns()}"
        return {"authorization": f"Bearer {new_key(self._file, name, **limits)}"}

    def url(self, device: dict[str, Any] | None = None, **parts: Any) -> str:
        limits = {"rate_limit_storage": self._storage}
        return self._serve(device, keys_file=str(self._file), limits=limits, **parts)


@pytest.fixture
def users(serve: Serve, tmp_path: Path, storage: str) -> Users:
    return Users(serve, tmp_path / "keys.yaml", storage)


def post(url: str, key: dict[str, str], **fields: Any) -> httpx.Response:
    return httpx.post(f"{url}/v1/chat/completions", json=CHAT | fields, headers=key, timeout=15)


def left(answer: httpx.Response, kind: str) -> int:
    return int(answer.headers[f"x-ratelimit-remaining-{kind}"])


def test_requests_above_the_limit_of_a_minute_are_a_429_with_the_time_to_retry(
    users: Users,
) -> None:
    key = users.key(requests_per_minute=2)
    url = users.url()
    first, second, refused = (post(url, key) for _ in range(3))
    assert [a.status_code for a in (first, second, refused)] == [200, 200, 429]
    assert (left(first, "requests"), left(second, "requests")) == (1, 0)
    error = refused.json()["error"]
    assert (error["type"], error["code"]) == ("requests", "rate_limit_exceeded")
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.headers["x-ratelimit-limit-requests"] == "2"
    assert refused.headers["x-ratelimit-reset-requests"].endswith("s")


def test_tokens_are_charged_by_what_was_used_and_not_by_max_tokens(users: Users) -> None:
    key = users.key(tokens_per_minute=1000)
    url = users.url()
    used = 0
    for _ in range(3):
        answer = post(url, key, max_tokens=300)
        used += answer.json()["usage"]["total_tokens"]
    assert left(post(url, key, max_tokens=1), "tokens") <= 1000 - used
    after = httpx.get(f"{url}/v1/models", headers=key)
    assert (
        left(after, "tokens")
        == 1000 - used - post(url, key, max_tokens=1).json()["usage"]["total_tokens"]
    )


def test_tokens_above_the_limit_of_a_minute_are_a_429_and_not_charged(users: Users) -> None:
    key = users.key(tokens_per_minute=200)
    url = users.url()
    post(url, key, max_tokens=100, ignore_eos=True)
    refused = post(url, key, max_tokens=150)
    assert (refused.status_code, refused.json()["error"]["type"]) == (429, "tokens")
    assert post(url, key, max_tokens=20).status_code == 200


def test_a_new_minute_has_the_whole_limit_again(users: Users) -> None:
    key = users.key(requests_per_minute=1)
    clock = Clock()
    url = users.url(clock=clock)
    clock.now = 59.0
    first, refused = post(url, key), post(url, key)
    assert (first.status_code, refused.status_code) == (200, 429)
    assert (first.headers["x-ratelimit-reset-requests"], refused.headers["retry-after"]) == (
        "1s",
        "1",
    )
    clock.now = 60.0
    assert post(url, key).status_code == 200


def test_a_request_is_charged_to_the_minute_in_which_it_began(users: Users) -> None:
    key = users.key(tokens_per_minute=1000)
    clock = Clock()
    url = users.url(SLOW, clock=clock)
    body = CHAT | {"stream": True, "max_tokens": 500, "ignore_eos": True}
    with httpx.stream("POST", f"{url}/v1/chat/completions", json=body, headers=key) as answer:
        assert next(answer.iter_lines())
        clock.now = 60.0
    clock.now = 59.0
    wait_until(lambda: left(httpx.get(f"{url}/v1/models", headers=key), "tokens") > 900)
    assert left(httpx.get(f"{url}/v1/models", headers=key), "tokens") < 1000
    clock.now = 60.0
    assert left(httpx.get(f"{url}/v1/models", headers=key), "tokens") == 1000


def test_a_request_above_the_whole_limit_is_not_retried(users: Users) -> None:
    key = users.key(tokens_per_minute=100)
    refused = post(users.url(), key, max_tokens=500)
    assert refused.status_code == 429
    assert refused.headers["x-should-retry"] == "false"
    assert "lower max_tokens" in refused.json()["error"]["message"]


def test_a_client_that_disconnects_pays_for_what_was_generated(users: Users) -> None:
    key = users.key(tokens_per_minute=1000)
    url = users.url(SLOW)
    body = CHAT | {"stream": True, "max_tokens": 500, "ignore_eos": True}
    with httpx.stream("POST", f"{url}/v1/chat/completions", json=body, headers=key) as answer:
        lines = answer.iter_lines()
        for _ in range(20):
            next(lines)

    def remaining() -> int:
        return left(httpx.get(f"{url}/v1/models", headers=key), "tokens")

    wait_until(lambda: remaining() > 900)
    assert remaining() < 1000


def test_open_requests_above_the_concurrency_are_a_429(users: Users) -> None:
    key = users.key(concurrency=2)
    url = users.url(SLOW)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: post(url, key, ignore_eos=True), range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 429, 429]
    assert post(url, key).status_code == 200


def test_a_request_is_one_however_many_choices_it_has(users: Users) -> None:
    key = users.key(requests_per_minute=10)
    assert left(post(users.url(), key, n=3), "requests") == 9


def test_an_invalid_body_is_not_charged(users: Users) -> None:
    key = users.key(requests_per_minute=10)
    url = users.url()
    refused = post(url, key, temperature=9)
    assert (refused.status_code, left(refused, "requests")) == (400, 10)


def test_keys_do_not_share_their_limits(users: Users) -> None:
    one, other = users.key(requests_per_minute=1), users.key(requests_per_minute=1)
    url = users.url()
    assert [post(url, key).status_code for key in (one, one, other)] == [200, 429, 200]


def test_replicas_share_what_is_in_redis(serve: Serve, tmp_path: Path, redis_url: str) -> None:
    users = Users(serve, tmp_path / "keys.yaml", f"{redis_url}/15")
    key = users.key(requests_per_minute=2)
    here, there = users.url(), users.url()
    assert [post(url, key).status_code for url in (here, there, here)] == [200, 200, 429]


def test_while_the_redis_is_gone_requests_are_admitted(serve: Serve, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    users = Users(serve, tmp_path / "keys.yaml", f"redis://127.0.0.1:{port}")
    key = users.key(requests_per_minute=1, tokens_per_minute=100)
    url = users.url()
    assert [post(url, key).status_code for _ in range(2)] == [200, 200]


def test_the_sdk_retries_after_the_time_of_the_headers(users: Users) -> None:
    key = users.key(concurrency=1)
    url = users.url(SLOW)
    text = key["authorization"].removeprefix("Bearer ")
    patient = openai.OpenAI(base_url=f"{url}/v1", api_key=text, max_retries=3)
    with ThreadPoolExecutor(2) as pool:
        asked = [
            pool.submit(patient.chat.completions.create, **CHAT)  # type: ignore[arg-type]
            for _ in range(2)
        ]
        assert all(one.result().choices for one in asked)


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(0, "0ms"), (0.85, "850ms"), (1, "1s"), (59.2, "1m0s"), (90, "1m30s"), (360, "6m0s")],
)
def test_durations_are_written_as_openai_does(seconds: float, written: str) -> None:
    assert duration(seconds) == written


def test_a_request_that_is_rejected_for_its_tokens_costs_no_request(users: Users) -> None:
    key = users.key(requests_per_minute=3, tokens_per_minute=100)
    url = users.url()
    assert [post(url, key, max_tokens=500).status_code for _ in range(3)] == [429] * 3
    assert post(url, key).status_code == 200


def test_many_that_disconnect_at_once_are_all_refunded(users: Users) -> None:
    key = users.key(tokens_per_minute=10_000)
    url = users.url(SLOW)
    body = CHAT | {"stream": True, "max_tokens": 2000, "ignore_eos": True}
    with ExitStack() as stack:
        for _ in range(4):
            answer = stack.enter_context(
                httpx.stream("POST", f"{url}/v1/chat/completions", json=body, headers=key)
            )
            stack.callback(lambda kept: None, answer.iter_lines())
    wait_until(lambda: left(httpx.get(f"{url}/v1/models", headers=key), "tokens") > 9000)


LIMITED = Caller(name="a", tokens_per_minute=1000, requests_per_minute=10, concurrency=1)
ESTIMATE = Estimate(prompt=100, answers=400, choices=2)
DELTAS = [
    (0, TokenDelta(token_ids=(1, 2))),
    (1, TokenDelta(token_ids=(3,), usage=Usage(prompt_tokens=70, completion_tokens=1))),
    (0, TokenDelta(token_ids=(4,), usage=Usage(prompt_tokens=70, completion_tokens=3))),
]


async def remaining(limiter: RateLimiter) -> int:
    headers = await limiter.rate_limit_headers(LIMITED)
    return int(headers["x-ratelimit-remaining-tokens"])


async def test_a_charge_is_the_estimate_until_it_is_settled() -> None:
    limiter = RateLimiter(clock=Clock())
    async with limiter.charge(LIMITED, ESTIMATE) as charge:
        assert await remaining(limiter) == 500
        for index, delta in DELTAS:
            charge.add(index, delta)
    assert await remaining(limiter) == 1000 - 70 - 4


async def test_a_prompt_without_usage_costs_its_estimate() -> None:
    limiter = RateLimiter(clock=Clock())
    async with limiter.charge(LIMITED, ESTIMATE) as charge:
        charge.add(*DELTAS[0])
    assert await remaining(limiter) == 1000 - 100 - 2


async def test_a_request_that_is_cancelled_at_any_moment_is_settled_and_closed() -> None:
    limiter = RateLimiter(clock=Clock())
    entered = asyncio.Event()

    async def work() -> None:
        async with limiter.charge(LIMITED, ESTIMATE):
            entered.set()
            await asyncio.Event().wait()

    for turns in range(8):
        task = asyncio.create_task(work())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert entered.is_set()
    await limiter.close()
    # Each costs the estimate of its prompt, or nothing where it was cancelled before it began.
    assert await remaining(limiter) in range(1000 - 8 * 100, 1000, 100)
    async with limiter.charge(LIMITED.model_copy(update={"tokens_per_minute": None}), ESTIMATE):
        pass  # no request is open


async def test_a_second_open_request_is_rejected_and_charges_nothing() -> None:
    limiter = RateLimiter(clock=Clock())
    async with limiter.charge(LIMITED, ESTIMATE):
        with pytest.raises(QuotaExceeded):
            async with limiter.charge(LIMITED, ESTIMATE):
                pass
        assert await remaining(limiter) == 500


async def test_a_caller_without_limits_is_not_counted() -> None:
    limiter = RateLimiter(clock=Clock())
    async with limiter.charge(ANYONE, ESTIMATE) as charge:
        assert type(charge) is Charge
        charge.add(*DELTAS[0])
    assert await limiter.rate_limit_headers(ANYONE) == {}

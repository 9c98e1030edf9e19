"""The queue of requests for tokens alone: fair, bounded, and apart for small and large texts."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import httpx
import pytest

from engine import DeadlineExceeded, EngineOverloaded
from gateway.caller import Caller
from gateway.config import Limits
from gateway.keys.store import new_key
from gateway.policies.tokenization import AT_ONCE, LARGE, TokenizationQueue
from tests.conftest import Serve
from tests.virtual_time import run_in_virtual_time

A, B = Caller(name="a"), Caller(name="b")
SECONDS = 1.0  # that each text takes


class Scene:
    """A queue, and what was tokenized: who, when."""

    def __init__(self, **limits: Any) -> None:
        self._queue = TokenizationQueue(Limits(**limits))
        self.done: list[tuple[str, float]] = []

    async def tokenize(self, caller: Caller, tokens: int) -> None:
        async with self._queue.slot(caller, tokens):
            await asyncio.sleep(SECONDS)
        self.done.append((caller.name, asyncio.get_running_loop().time()))

    async def all(self, *work: Coroutine[Any, Any, None]) -> list[BaseException | None]:
        return await asyncio.gather(*work, return_exceptions=True)


def test_a_small_text_does_not_wait_for_large_ones() -> None:
    scene = Scene()
    large = [scene.tokenize(A, LARGE + 1) for _ in range(10)]
    run_in_virtual_time(scene.all(*large, scene.tokenize(B, 10)))
    assert ("b", SECONDS) in scene.done


def test_the_text_of_another_caller_waits_for_one_text_and_not_for_all() -> None:
    scene = Scene()
    large = [scene.tokenize(A, LARGE + 1) for _ in range(10)]
    run_in_virtual_time(scene.all(*large, scene.tokenize(B, LARGE + 1)))
    assert dict(scene.done[: AT_ONCE + 2])["b"] == 2 * SECONDS


def test_a_text_beyond_the_queue_is_refused() -> None:
    scene = Scene(max_queued=3)
    results = run_in_virtual_time(scene.all(*(scene.tokenize(A, 10) for _ in range(AT_ONCE + 4))))
    assert [type(result) for result in results if result] == [EngineOverloaded]
    assert len(scene.done) == AT_ONCE + 3


def test_a_text_that_waits_too_long_is_refused_and_leaves_the_queue() -> None:
    scene = Scene(queue_timeout_seconds=SECONDS / 2)
    results = run_in_virtual_time(scene.all(*(scene.tokenize(A, 10) for _ in range(AT_ONCE + 1))))
    assert [type(result) for result in results if result] == [DeadlineExceeded]
    run_in_virtual_time(scene.tokenize(A, 10))


@pytest.mark.parametrize(
    ("path", "fields"), [("/tokenize", {"prompt": "Hello"}), ("/detokenize", {"tokens": [66]})]
)
def test_tokens_are_a_request_of_the_key_and_none_of_its_tokens(
    serve: Serve, tmp_path: Any, path: str, fields: dict[str, Any]
) -> None:
    keys = tmp_path / "keys.yaml"
    text = new_key(keys, "few", requests_per_minute=2, tokens_per_minute=1)
    url, headers = serve(keys_file=str(keys)), {"authorization": f"Bearer {text}"}
    answers = [
        httpx.post(url + path, json={"model": "sim"} | fields, headers=headers) for _ in range(5)
    ]
    statuses = [answer.status_code for answer in answers]
    assert statuses[:2] == [200, 200]
    assert statuses[-1] == 429 or statuses.count(200) <= 4  # where a minute ended in between
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"
    assert "retry-after" in refused.headers

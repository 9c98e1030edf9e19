"""The openai SDK for JavaScript over `/v1/responses`; `npm/responses.mjs` calls it."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.clients.test_openai_npm import node
from tests.clients.weather import ANSWER, DEVICE
from tests.conftest import running, simulated

pytestmark = pytest.mark.clients


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running(simulated(DEVICE)) as url:
        yield url


def talk(url: str, what: str) -> Any:
    return node(url, what, script="responses.mjs")


def whole(url: str) -> str:
    answer = httpx.post(f"{url}/v1/responses", json={"model": "sim", "input": "Say hello."})
    text: str = answer.json()["output"][0]["content"][0]["text"]
    return text


def test_answers_whole(url: str) -> None:
    assert talk(url, "whole") == {"status": "completed", "output_text": whole(url)}


@pytest.mark.parametrize("what", ["streamed", "streamHelper"])
def test_a_stream_is_the_whole_answer(url: str, what: str) -> None:
    assert talk(url, what) == whole(url)


def test_parse_returns_what_the_schema_describes(url: str) -> None:
    assert talk(url, "parse").keys() == {"name", "length_km", "countries"}


def test_a_tool_loop_ends_with_the_answer_to_the_result(url: str) -> None:
    assert talk(url, "loop") == ANSWER


def test_a_rejection_is_the_sdks_own_error(url: str) -> None:
    assert talk(url, "refused") == {"name": "BadRequestError", "param": "temperature"}

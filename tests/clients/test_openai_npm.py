"""The openai SDK for JavaScript; `tests/clients/npm/client.mjs` calls it."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.clients.weather import ANSWER, DEVICE, HELLO
from tests.conftest import Serve, running, simulated
from tests.tools import require_tool

HERE = Path(__file__).parent / "npm"

pytestmark = pytest.mark.clients


@pytest.fixture(scope="module")
def weather_url() -> Iterator[str]:
    with running(simulated(DEVICE)) as url:
        yield url


def node(url: str, what: str, script: str = "client.mjs") -> Any:
    """Run one conversation; return what the script printed."""
    require_tool("npm")
    assert (HERE / "node_modules").exists(), "`make test-clients` installs the packages of npm"
    command = [require_tool("node"), str(HERE / script), url, what]
    done = subprocess.run(command, capture_output=True, text=True, timeout=15)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def whole(url: str) -> Any:
    body = {"model": "sim", "messages": HELLO}
    return httpx.post(f"{url}/v1/chat/completions", json=body).json()["choices"][0]["message"]


def test_answers_whole(weather_url: str) -> None:
    answer = node(weather_url, "whole")
    assert answer["choices"][0]["message"] == whole(weather_url)


def test_the_stream_joined_is_the_whole_answer(weather_url: str) -> None:
    chunks = node(weather_url, "chunks")
    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
    assert text == whole(weather_url)["content"]


def test_the_stream_helper_accumulates_the_whole_answer(weather_url: str) -> None:
    seen = node(weather_url, "streamHelper")
    choice = seen["final"]["choices"][0]
    assert seen["joined"] == choice["message"]["content"] == whole(weather_url)["content"]
    assert choice["finish_reason"] == "stop"
    assert seen["final"]["usage"]["completion_tokens"] > 0


def test_the_stream_helper_accumulates_a_call(weather_url: str) -> None:
    seen = node(weather_url, "streamedCall")
    (call,) = seen["message"]["tool_calls"]
    assert [done["name"] for done in seen["done"]] == ["weather"]
    assert json.loads(call["function"]["arguments"]) == {"city": "Zürich"}


@pytest.mark.parametrize("what", ["parse", "streamedSchema", "jsonSchema"])
def test_a_schema_is_read_as_the_users_zod_type(weather_url: str, what: str) -> None:
    assert node(weather_url, what).keys() == {"name", "length_km", "countries"}


@pytest.mark.parametrize(
    "what", ["runTools", "runToolsStreamed", "runToolsStrict", "runToolsStrictStreamed"]
)
def test_run_tools_calls_the_tool_and_ends_in_the_answer(weather_url: str, what: str) -> None:
    assert node(weather_url, what) == {
        "answer": ANSWER,
        "cities": ["Zürich"],
        "roles": ["user", "assistant", "tool", "assistant"],
    }


def test_a_named_tool_is_called_with_arguments_of_the_users_zod_type(weather_url: str) -> None:
    (call,) = node(weather_url, "forced")
    assert call["function"]["parsed_arguments"].keys() == {"city"}


def test_a_stream_left_early_leaves_the_client_usable(weather_url: str) -> None:
    assert node(weather_url, "abandoned") == 1


def test_completions_answer(weather_url: str) -> None:
    answer = node(weather_url, "completion")
    assert (answer["object"], answer["usage"]["completion_tokens"]) == ("text_completion", 5)


def test_models_are_listed_and_retrieved(weather_url: str) -> None:
    assert node(weather_url, "models") == {"found": ["sim"], "one": "sim"}


@pytest.mark.parametrize("what", ["badRequest", "badStream"])
def test_a_rejection_is_a_bad_request_error(weather_url: str, what: str) -> None:
    error = node(weather_url, what)
    assert (error["name"], error["status"]) == ("BadRequestError", 400)
    assert (error["code"], error["param"]) == ("invalid_value", "temperature")
    assert error["type"] == "invalid_request_error"
    assert error["requestID"]


@pytest.mark.parametrize("what", ["unknownModel", "embeddings"])
def test_what_does_not_exist_is_a_not_found_error(weather_url: str, what: str) -> None:
    error = node(weather_url, what)
    assert (error["name"], error["status"]) == ("NotFoundError", 404)


def test_a_failing_engine_is_an_internal_server_error(serve: Serve) -> None:
    error = node(serve({"faults": {"fail_at_token": 0}}), "failure")
    assert (error["name"], error["code"]) == ("InternalServerError", "generation_failed")


def test_a_failure_in_mid_stream_is_an_api_error(serve: Serve) -> None:
    error = node(serve({"faults": {"fail_at_token": 3}}), "failureInStream")
    assert (error["name"], error["code"]) == ("APIError", "generation_failed")


def test_a_stalled_answer_is_a_timeout_error(serve: Serve) -> None:
    error = node(serve({"faults": {"stall_at_token": 1}}), "stalled")
    assert error["name"] == "APIConnectionTimeoutError"

"""The openai SDK for Python: tool loops, `.parse()`, the async client, models, errors."""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai.types import Model
from pydantic import BaseModel

from tests.clients.weather import ANSWER, ASK, DEVICE, HELLO, RESULT, TOOLS
from tests.conftest import Serve, running, sdk, simulated


class Weather(BaseModel):
    """The pydantic model of the arguments of the tool."""

    city: str


@pytest.fixture(scope="module")
def weather_url() -> Iterator[str]:
    with running(simulated(DEVICE)) as url:
        yield url


@pytest.fixture(scope="module")
def weather(weather_url: str) -> Iterator[openai.OpenAI]:
    with sdk(weather_url) as client:
        yield client


def aclient(url: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=15)


def results(message: Any) -> list[dict[str, str]]:
    """Run the tool for every call of a message."""
    ids = [call.id for call in message.tool_calls or ()]
    return [{"role": "tool", "tool_call_id": one, "content": RESULT} for one in ids]


# Tools.


def test_a_tool_loop_ends_with_the_answer_to_the_result(weather: openai.OpenAI) -> None:
    messages: list[Any] = [*ASK]
    for _ in range(3):
        message = (
            weather.chat.completions.create(model="sim", messages=messages, tools=TOOLS)
            .choices[0]
            .message
        )
        messages.append(message)
        if not message.tool_calls:
            break
        messages += results(message)
    assert messages[-1].content == ANSWER
    assert len(messages) == 4


def test_results_of_parallel_calls_are_taken_together(weather: openai.OpenAI) -> None:
    asked: dict[str, Any] = {"model": "sim", "tools": TOOLS}
    ask = {"role": "user", "content": "And both weather?"}
    message = weather.chat.completions.create(messages=[ask], **asked).choices[0].message
    history = [ask, message, *results(message)]
    answer = weather.chat.completions.create(messages=history, **asked).choices[0]
    assert (len(results(message)), answer.message.content) == (2, ANSWER)


@pytest.mark.parametrize("messages", [HELLO, ASK], ids=["content", "call"])
def test_a_parsed_message_can_be_sent_back(weather: openai.OpenAI, messages: Any) -> None:
    asked: dict[str, Any] = {"model": "sim", "tools": TOOLS}
    message = weather.chat.completions.parse(messages=messages, **asked).choices[0].message
    history = [*messages, message, *results(message)]
    assert weather.chat.completions.parse(messages=history, **asked).choices


def test_a_streamed_loop_ends_with_the_streamed_answer(weather: openai.OpenAI) -> None:
    asked: dict[str, Any] = {"model": "sim", "tools": TOOLS}
    with weather.chat.completions.stream(messages=ASK, **asked) as stream:
        message = stream.get_final_completion().choices[0].message
    history = [*ASK, message, *results(message)]
    with weather.chat.completions.stream(messages=history, **asked) as stream:
        assert stream.get_final_completion().choices[0].message.content == ANSWER


def test_parse_returns_a_calls_arguments_as_the_users_model(weather: openai.OpenAI) -> None:
    tool = openai.pydantic_function_tool(Weather, name="weather")
    answer = weather.chat.completions.parse(model="sim", messages=ASK, tools=[tool])
    (call,) = answer.choices[0].message.tool_calls or []
    assert call.function.parsed_arguments == Weather(city="Zürich")


def test_parse_returns_a_forced_calls_arguments_as_the_users_model(weather: openai.OpenAI) -> None:
    tool = openai.pydantic_function_tool(Weather, name="weather")
    for choice in ("required", {"type": "function", "function": {"name": "weather"}}):
        answer = weather.chat.completions.parse(
            model="sim", messages=HELLO, tools=[tool], tool_choice=choice
        )
        (call,) = answer.choices[0].message.tool_calls or []
        assert isinstance(call.function.parsed_arguments, Weather)


def test_parse_raises_if_the_answer_was_cut(client: openai.OpenAI) -> None:
    with pytest.raises(openai.LengthFinishReasonError):
        client.chat.completions.parse(
            model="sim", messages=HELLO, response_format=Weather, max_tokens=1
        )


# The async client.


async def test_the_async_client_loops_with_tools(weather_url: str) -> None:
    async with aclient(weather_url) as client:
        asked: dict[str, Any] = {"model": "sim", "tools": TOOLS}
        first = await client.chat.completions.create(messages=ASK, **asked)
        message = first.choices[0].message
        history = [*ASK, message, *results(message)]
        answer = await client.chat.completions.create(messages=history, **asked)
    assert answer.choices[0].message.content == ANSWER


async def test_the_async_stream_helper_returns_the_whole_answer(url: str) -> None:
    async with aclient(url) as client:
        asked: dict[str, Any] = {"model": "sim", "messages": HELLO}
        async with client.chat.completions.stream(**asked) as stream:
            deltas = [event.delta async for event in stream if event.type == "content.delta"]
        whole = await client.chat.completions.create(**asked)
    assert "".join(deltas) == whole.choices[0].message.content


async def test_the_async_client_parses(url: str) -> None:
    async with aclient(url) as client:
        answer = await client.chat.completions.parse(
            model="sim", messages=HELLO, response_format=Weather
        )
    assert isinstance(answer.choices[0].message.parsed, Weather)


async def test_a_stream_left_early_leaves_the_client_usable(url: str) -> None:
    asked: dict[str, Any] = {"model": "sim", "messages": HELLO}
    async with aclient(url) as client:
        async with await client.chat.completions.create(stream=True, **asked) as stream:
            async for _ in stream:
                break
        assert (await client.chat.completions.create(**asked)).choices


# Models and completions.


def test_models_are_listed_and_retrieved(client: openai.OpenAI) -> None:
    listed = list(client.models.list())
    assert [type(model) for model in listed] == [Model]
    assert client.models.retrieve(listed[0].id) == listed[0]


async def test_the_async_client_streams_completions(url: str) -> None:
    asked: dict[str, Any] = {"model": "sim", "prompt": "Once upon", "max_tokens": 5}
    async with aclient(url) as client:
        stream = await client.completions.create(stream=True, **asked)
        text = "".join([chunk.choices[0].text async for chunk in stream])
        assert text == (await client.completions.create(**asked)).choices[0].text


# Headers and raw responses.


def test_an_answer_knows_its_request_id(client: openai.OpenAI) -> None:
    mine = {"x-request-id": "mine-2"}
    answer = client.chat.completions.create(model="sim", messages=HELLO, extra_headers=mine)
    assert answer._request_id == "mine-2"


def test_the_raw_response_parses_to_the_same_answer(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="sim", messages=HELLO)
    assert raw.headers["content-type"] == "application/json"
    assert (
        raw.parse().choices == client.chat.completions.create(model="sim", messages=HELLO).choices
    )


def test_a_streaming_response_has_lines_of_frames(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_streaming_response
    with raw.create(model="sim", messages=HELLO, stream=True) as answer:
        lines = [line for line in answer.iter_lines() if line]
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert json.loads(lines[0].removeprefix("data: "))["object"] == "chat.completion.chunk"
    assert lines[-1] == "data: [DONE]"


# Errors in the SDK's classes.


def test_embeddings_are_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        client.embeddings.create(model="sim", input="hello")
    assert "another kind of model" in refused.value.message


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_an_unknown_model_is_not_found(client: openai.OpenAI, stream: bool) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        client.chat.completions.create(model="gpt", messages=HELLO, stream=stream)
    assert (refused.value.code, refused.value.param) == ("model_not_found", "model")


def test_a_rejection_has_every_field_of_the_sdks_error(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="sim", messages=HELLO, temperature=3)
    error = refused.value
    assert (error.code, error.param) == ("invalid_value", "temperature")
    assert error.type == "invalid_request_error"
    assert error.request_id == error.response.headers["x-request-id"]
    assert "temperature" in str(error)


def test_another_media_type_is_a_status_error(client: openai.OpenAI) -> None:
    headers = {"content-type": "text/plain"}
    with pytest.raises(openai.APIStatusError) as refused:
        client.chat.completions.create(model="sim", messages=HELLO, extra_headers=headers)
    assert (refused.value.status_code, refused.value.code) == (415, "unsupported_media_type")


def test_a_body_over_the_limit_is_a_status_error(client: openai.OpenAI) -> None:
    long = [{"role": "user", "content": "x" * (4 * 2**20)}]
    with pytest.raises(openai.APIStatusError) as refused:
        client.chat.completions.create(model="sim", messages=long)
    assert (refused.value.status_code, refused.value.code) == (413, "request_too_large")


@pytest.mark.parametrize(
    ("fault", "code"),
    [("fail_at_token", "generation_failed"), ("die_at_token", "engine_unavailable")],
)
def test_a_failing_engine_is_an_internal_server_error(serve: Serve, fault: str, code: str) -> None:
    with (
        sdk(serve({"faults": {fault: 0}})) as client,
        pytest.raises(openai.InternalServerError) as failed,
    ):
        client.chat.completions.create(model="sim", messages=HELLO)
    assert (failed.value.code, failed.value.type) == (code, "server_error")


def test_a_stalled_answer_is_the_sdks_timeout(serve: Serve) -> None:
    with sdk(serve({"faults": {"stall_at_token": 1}})) as client:
        hasty = client.with_options(timeout=0.2)
        with pytest.raises(openai.APITimeoutError):
            hasty.chat.completions.create(model="sim", messages=HELLO)

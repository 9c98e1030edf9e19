"""`/v1/responses` through the openai SDK for Python."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter

from tests.clients.test_openai_types import extras, is_strictly
from tests.clients.weather import ANSWER, DEVICE, QUESTION, RESULT, TOOLS
from tests.conftest import running, sdk, simulated

WEATHER: dict[str, Any] = {"type": "function"} | TOOLS[0]["function"]
PATCH: dict[str, Any] = {"type": "custom", "name": "patch", "description": "Change a file."}
AGENTS: dict[str, Any] = {
    "type": "namespace", "name": "agents", "description": "Others.", "tools": [WEATHER, PATCH]
}  # fmt: skip

EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


class River(BaseModel):
    name: str
    length_km: int
    countries: list[str]


@pytest.fixture(scope="module")
def weather_url() -> Iterator[str]:
    with running(simulated(DEVICE)) as url:
        yield url


@pytest.fixture(scope="module")
def weather(weather_url: str) -> Iterator[openai.OpenAI]:
    with sdk(weather_url) as client:
        yield client


def ask(client: openai.OpenAI, **fields: Any) -> Any:
    return client.responses.create(**({"model": "sim", "input": "Say hello."} | fields))


def results(response: Any) -> list[dict[str, str]]:
    """Run the tool for every call of a response."""
    calls = [item for item in response.output if item.type == "function_call"]
    return [
        {"type": "function_call_output", "call_id": call.call_id, "output": RESULT}
        for call in calls
    ]


def test_answers_whole(client: openai.OpenAI) -> None:
    answer = ask(client)
    assert answer.output_text
    assert (answer.status, answer.error, answer.model) == ("completed", None, "sim")
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens


CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "instructions": {"instructions": "Be brief.", "temperature": 1},
    "messages": {"input": [{"role": "user", "content": "Say hello."}]},
    "call": {"input": QUESTION, "tools": [WEATHER]},
    "required call": {"tools": [WEATHER], "tool_choice": "required"},
    "custom tool": {"tools": [PATCH], "tool_choice": "required"},
    "custom tool with a grammar": {
        "tools": [PATCH | {"format": {"type": "grammar", "syntax": "lark", "definition": "s: /./"}}]
    },
    "namespace": {"tools": [AGENTS], "tool_choice": "required"},
    "hosted tool": {"tools": [WEATHER, {"type": "web_search"}]},
    "truncation": {"truncation": "auto"},
    "cut short": {"max_output_tokens": 3},
    "logprobs": {"top_logprobs": 2},
    "bookkeeping": {
        "metadata": {"a": "b"},
        "reasoning": {"summary": "auto"},
        "text": {"verbosity": "low"},
        "truncation": "disabled",
        "user": "somebody",
    },
}
cases = pytest.mark.parametrize("fields", CASES.values(), ids=CASES.keys())


@cases
def test_every_event_is_of_its_type(weather_url: str, fields: dict[str, Any]) -> None:
    body = {"model": "sim", "input": "Say hello.", "stream": True} | fields
    answer = httpx.post(f"{weather_url}/v1/responses", json=body)
    *frames, rest = answer.text.split("\n\n")
    assert rest == ""
    for event in frames:
        name, data = event.split("\n")
        parsed = EVENT.validate_json(data.removeprefix("data: "))
        assert extras(parsed) == set()
        assert name == f"event: {parsed.type}"


@cases
def test_a_response_is_of_its_type(weather_url: str, fields: dict[str, Any]) -> None:
    body = {"model": "sim", "input": "Say hello."} | fields
    answer = httpx.post(f"{weather_url}/v1/responses", json=body)
    assert answer.status_code == 200, answer.text
    is_strictly(answer.json(), Response)


def test_reasoning_to_send_back_is_of_its_type() -> None:
    device = {"scripts": [{"when": "hello", "reply": "<think>Well.</think>Hello."}]}
    body = {"model": "sim", "input": "Say hello.", "include": ["reasoning.encrypted_content"]}
    with running(simulated(device, model={"reasoning": "think"})) as url:
        document = httpx.post(f"{url}/v1/responses", json=body).json()
    assert document["output"][0]["encrypted_content"]
    is_strictly(document, Response)


def test_the_streams_deltas_join_to_the_whole_answer(client: openai.OpenAI) -> None:
    events = list(ask(client, stream=True))
    text = "".join(e.delta for e in events if e.type == "response.output_text.delta")
    assert text == ask(client).output_text == events[-1].response.output_text


def test_a_stream_is_numbered_from_created_to_completed(client: openai.OpenAI) -> None:
    events = list(ask(client, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert (events[0].type, events[-1].type) == ("response.created", "response.completed")


def test_the_stream_helper_returns_the_whole_answer(client: openai.OpenAI) -> None:
    with client.responses.stream(model="sim", input="Say hello.") as stream:
        text = "".join(e.delta for e in stream if e.type == "response.output_text.delta")
        final = stream.get_final_response()
    assert text == final.output_text == ask(client).output_text


def test_an_answer_that_was_cut_is_incomplete(client: openai.OpenAI) -> None:
    answer = ask(client, max_output_tokens=3)
    assert answer.status == "incomplete"
    assert answer.incomplete_details.reason == "max_output_tokens"


def test_an_answer_can_be_sent_back(client: openai.OpenAI) -> None:
    first = ask(client)
    hello = {"role": "user", "content": "Say hello."}
    assert ask(client, input=[hello, *first.output, hello]).output_text


def test_parse_returns_the_users_own_model(client: openai.OpenAI) -> None:
    answer = client.responses.parse(model="sim", input="Name a river.", text_format=River)
    assert isinstance(answer.output_parsed, River)


def test_a_stream_is_parsed_to_the_users_own_model(client: openai.OpenAI) -> None:
    asked: dict[str, Any] = {"model": "sim", "input": "Name a river.", "text_format": River}
    with client.responses.stream(**asked) as stream:
        assert isinstance(stream.get_final_response().output_parsed, River)


def test_a_tool_loop_ends_with_the_answer_to_the_result(weather: openai.OpenAI) -> None:
    history: list[Any] = [{"role": "user", "content": QUESTION}]
    for _ in range(3):
        answer = ask(weather, input=history, tools=[WEATHER])
        history += [*answer.output, *results(answer)]
        if not results(answer):
            break
    assert answer.output_text == ANSWER
    assert len(history) == 4


def test_a_parsed_response_can_be_sent_back(weather: openai.OpenAI) -> None:
    asked: dict[str, Any] = {"model": "sim", "tools": [WEATHER]}
    first = weather.responses.parse(input=QUESTION, **asked)
    history = [{"role": "user", "content": QUESTION}, *first.output, *results(first)]
    assert weather.responses.parse(input=history, **asked).output_text == ANSWER


def test_a_streamed_call_is_the_call_of_a_whole_answer(weather: openai.OpenAI) -> None:
    asked: dict[str, Any] = {"input": QUESTION, "tools": [WEATHER]}
    events = list(ask(weather, stream=True, **asked))
    deltas = [e.delta for e in events if e.type == "response.function_call_arguments.delta"]
    (done,) = [e for e in events if e.type == "response.function_call_arguments.done"]
    (call,) = events[-1].response.output
    assert "".join(deltas) == done.arguments == call.arguments
    assert (call.name, json.loads(call.arguments)) == ("weather", {"city": "Zürich"})
    assert call.arguments == ask(weather, **asked).output[0].arguments


def test_a_forced_call_is_made(client: openai.OpenAI) -> None:
    for choice in ("required", {"type": "function", "name": "weather"}):
        answer = ask(client, tools=[WEATHER], tool_choice=choice)
        assert [item.type for item in answer.output] == ["function_call"]


async def test_the_async_client_answers_and_streams(url: str) -> None:
    asked: dict[str, Any] = {"model": "sim", "input": "Say hello."}
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none") as client:
        whole = await client.responses.create(**asked)
        async with client.responses.stream(**asked) as stream:
            assert (await stream.get_final_response()).output_text == whole.output_text


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_rejection_is_the_sdks_own_error(client: openai.OpenAI, stream: bool) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        ask(client, temperature=3, stream=stream)
    assert refused.value.param == "temperature"
    with pytest.raises(openai.NotFoundError):
        ask(client, model="gpt", stream=stream)

"""`client.chat.completions.stream()`: the SDK's own accumulator, which is strict about chunks."""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from tests.clients.weather import ASK, DEVICE, HELLO, TOOLS
from tests.conftest import running, sdk, simulated


class River(BaseModel):
    name: str
    length_km: int
    countries: list[str]


@pytest.fixture(scope="module")
def weather() -> Iterator[openai.OpenAI]:
    with running(simulated(DEVICE)) as url, sdk(url) as client:
        yield client


def events(client: openai.OpenAI, **fields: Any) -> tuple[list[Any], Any]:
    """Return a stream's events and the completion that the SDK accumulated."""
    with client.chat.completions.stream(**({"model": "sim", "messages": HELLO} | fields)) as stream:
        return list(stream), stream.get_final_completion()


def of_type(found: list[Any], type_: str) -> list[Any]:
    return [event for event in found if event.type == type_]


def test_content_deltas_join_to_the_final_content(client: openai.OpenAI) -> None:
    found, final = events(client)
    (done,) = of_type(found, "content.done")
    assert "".join(event.delta for event in of_type(found, "content.delta")) == done.content
    assert done.content == final.choices[0].message.content


def test_the_final_completion_is_the_whole_answer(client: openai.OpenAI) -> None:
    _, final = events(client, stream_options={"include_usage": True})
    whole = client.chat.completions.create(model="sim", messages=HELLO)
    assert final.choices[0].message.content == whole.choices[0].message.content
    assert final.choices[0].finish_reason == whole.choices[0].finish_reason
    assert final.usage == whole.usage


def test_all_of_n_choices_are_accumulated(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model="sim", messages=HELLO, n=4, seed=1)
    for _ in range(5):  # the helper requires choices to begin in the order of their indexes
        _, final = events(client, n=4, seed=1)
        assert [(c.index, c.message.content) for c in final.choices] == [
            (c.index, c.message.content) for c in whole.choices
        ]


def test_logprobs_are_accumulated(client: openai.OpenAI) -> None:
    found, final = events(client, logprobs=True, top_logprobs=2)
    (done,) = of_type(found, "logprobs.content.done")
    assert "".join(token.token for token in done.content) == final.choices[0].message.content
    assert final.choices[0].logprobs.content == done.content


def test_a_schema_is_parsed_while_it_streams(client: openai.OpenAI) -> None:
    found, final = events(client, response_format=River)
    assert isinstance(of_type(found, "content.done")[0].parsed, River)
    assert final.choices[0].message.parsed == of_type(found, "content.done")[0].parsed
    assert any(event.parsed for event in of_type(found, "content.delta"))


def test_an_answer_that_was_cut_raises(client: openai.OpenAI) -> None:
    with pytest.raises(openai.LengthFinishReasonError):
        events(client, response_format=River, max_tokens=2)


def test_a_calls_arguments_arrive_as_deltas_and_done(weather: openai.OpenAI) -> None:
    found, final = events(weather, messages=ASK, tools=TOOLS)
    deltas = of_type(found, "tool_calls.function.arguments.delta")
    (done,) = of_type(found, "tool_calls.function.arguments.done")
    assert "".join(event.arguments_delta for event in deltas) == done.arguments
    assert (done.name, done.parsed_arguments) == ("weather", {"city": "Zürich"})
    assert final.choices[0].finish_reason == "tool_calls"


def test_parallel_calls_are_kept_apart(weather: openai.OpenAI) -> None:
    messages = [{"role": "user", "content": "And both weather?"}]
    found, final = events(weather, messages=messages, tools=TOOLS)
    done = of_type(found, "tool_calls.function.arguments.done")
    assert [(e.index, e.parsed_arguments["city"]) for e in done] == [(0, "Zürich"), (1, "Genève")]
    assert len({call.id for call in final.choices[0].message.tool_calls}) == 2


def test_a_streamed_call_is_the_call_of_a_whole_answer(weather: openai.OpenAI) -> None:
    _, final = events(weather, messages=ASK, tools=TOOLS)
    whole = weather.chat.completions.create(model="sim", messages=ASK, tools=TOOLS)
    one, other = (answer.choices[0].message for answer in (final, whole))
    assert (one.content or None, one.role) == (other.content, other.role)
    assert [json.loads(c.function.arguments) for c in one.tool_calls] == [
        json.loads(c.function.arguments) for c in other.tool_calls
    ]


def test_a_failure_in_mid_stream_ends_the_helper_with_the_sdks_error() -> None:
    with (
        running(simulated({"faults": {"fail_at_token": 3}})) as url,
        sdk(url) as client,
        pytest.raises(openai.APIError) as failed,
    ):
        events(client)
    assert failed.value.code == "generation_failed"

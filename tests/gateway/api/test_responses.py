"""`/v1/responses` over the wire: what it refuses, how it thinks, how it ends."""

import json
from typing import Any

import httpx
import pytest

from tests.conftest import Serve

SAID = {"role": "user", "content": "Say hello."}
WEATHER = {"type": "function", "name": "weather", "parameters": {"type": "object"}}
CALL = {"type": "function_call", "call_id": "1", "name": "weather", "arguments": "{}"}
IMAGE = {"type": "input_image", "image_url": "data:,"}


def post(url: str, **fields: Any) -> httpx.Response:
    return httpx.post(f"{url}/v1/responses", json={"model": "sim", "input": "Say hello."} | fields)


def events(url: str, **fields: Any) -> list[dict[str, Any]]:
    lines = post(url, stream=True, **fields).text.splitlines()
    return [json.loads(line.removeprefix("data: ")) for line in lines if line[:5] == "data:"]


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"max_output_token": 5}, "max_output_token", "unknown_parameter"),
        ({"max_tokens": 5}, "max_tokens", "unsupported_parameter"),
        ({"response_format": {"type": "json_object"}}, "response_format", "unsupported_parameter"),
        ({"n": 2}, "n", "invalid_value"),
        ({"frequency_penalty": 3}, "frequency_penalty", "invalid_value"),
        ({"input": []}, "input", "invalid_value"),
        ({"input": 5}, "input", "invalid_type"),
        ({"input": [{"role": "king", "content": ""}]}, "input[0].role", "invalid_value"),
        ({"input": [SAID, {"role": "user"}]}, "input[1].content", "missing_required_parameter"),
        (
            {"input": [{"role": "user", "content": [IMAGE]}]},
            "input[0].content[0].type",
            "unsupported_value",
        ),
        ({"input": [{"type": []}]}, "input[0].type", "invalid_type"),
        ({"tools": [{"type": {}}]}, "tools[0].type", "invalid_type"),
        ({"tool_choice": {"type": []}}, "tool_choice.type", "invalid_type"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0].type", "unsupported_value"),
        (
            {"input": [{"type": "function_call_output", "call_id": "x", "output": ""}]},
            "input",
            "invalid_value",
        ),
        ({"max_output_tokens": 0}, "max_output_tokens", "invalid_value"),
        (
            {"input": [{"role": "user", "content": [{"type": "refusal", "text": "No."}]}]},
            "input[0].content[0].text",
            "invalid_value",
        ),
        ({"input": "x " * 9000}, "input", "context_length_exceeded"),
        ({"previous_response_id": "r"}, "previous_response_id", "unsupported_parameter"),
        ({"conversation": "c"}, "conversation", "unsupported_parameter"),
        ({"background": True}, "background", "unsupported_value"),
        ({"background": 0}, "background", "invalid_type"),
        ({"tool_choice": {"type": "web_search"}}, "tool_choice", "unsupported_value"),
        ({"tool_choice": "required"}, "tool_choice", "invalid_value"),
        (
            {"tools": [WEATHER], "tool_choice": {"type": "function", "name": "x"}},
            "tool_choice",
            "invalid_value",
        ),
        ({"text": {"format": {"type": "json_schema"}}}, "text.format.name", None),
        (
            {
                "text": {
                    "format": {"type": "json_schema", "name": "a", "schema": {"type": "nothing"}}
                }
            },
            "text.format.schema",
            "invalid_value",
        ),
        ({"stream_options": {}}, "stream_options", "invalid_value"),
        ({"instructions": "Be brief.", "input": [SAID] * 4096}, "input", "invalid_value"),
        ({"input": [CALL] * 1025}, "input", "invalid_value"),
    ],
    ids=lambda value: json.dumps(value)[:50] if isinstance(value, dict) else None,
)
def test_a_bad_request_is_refused_by_name(
    url: str, fields: dict[str, Any], param: str, code: str | None
) -> None:
    answer = post(url, **fields)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, param)
    assert error["code"] == code or code is None


def test_what_the_device_ignores_is_refused_by_this_endpoints_name(serve: Serve) -> None:
    url = serve({"unsupported": ["structured", "logprobs"]})
    form = {"type": "json_schema", "name": "a", "schema": {"type": "object"}}
    for fields, param in (
        ({"text": {"format": form}}, "text.format"),
        ({"top_logprobs": 2}, "top_logprobs"),
    ):
        error = post(url, **fields).json()["error"]
        assert (error["param"], error["code"]) == (param, "unsupported_parameter")
        assert f"'{param}'" in error["message"]


@pytest.mark.parametrize("number", ["1e999", "-1e999"])
def test_a_number_that_is_not_finite_is_refused_and_not_repeated(url: str, number: str) -> None:
    tool = json.dumps(WEATHER | {"parameters": {"maximum": 1.5}}).replace("1.5", number)
    body = f'{{"model": "sim", "input": "Hello.", "tools": [{tool}]}}'
    answer = httpx.post(
        f"{url}/v1/responses", content=body, headers={"content-type": "application/json"}
    )
    assert (answer.status_code, "too large" in answer.text) == (400, True)


def test_instructions_and_a_system_message_are_one(url: str) -> None:
    system = {"role": "system", "content": "b"}
    joined = post(url, instructions="a\n\nb", input=[SAID])
    assert (
        post(url, instructions="a", input=[system, SAID]).json()["usage"]
        == (joined.json()["usage"])
    )


def test_a_response_echoes_what_was_asked(url: str) -> None:
    fields = {"metadata": {"a": "b"}, "temperature": 0.5, "tools": [WEATHER], "user": "me"}
    answer = post(url, **fields).json()
    assert {name: answer[name] for name in ("metadata", "temperature", "user")} == {
        name: fields[name] for name in ("metadata", "temperature", "user")
    }
    assert answer["tools"][0]["name"] == "weather"


def test_a_thought_is_an_item_of_its_own_and_is_counted(serve: Serve) -> None:
    url = serve(
        {"scripts": [{"when": "hello", "reply": "<think>Well, well.</think>Hello."}]},
        model={"reasoning": "think"},
    )
    answer = post(url).json()
    thought, message = answer["output"]
    assert thought["content"] == [{"type": "reasoning_text", "text": "Well, well."}]
    assert message["content"][0]["text"] == "Hello."
    assert (
        0
        < answer["usage"]["output_tokens_details"]["reasoning_tokens"]
        < (answer["usage"]["output_tokens"])
    )
    assert post(url, input=[SAID, thought, message, SAID]).status_code == 200


def test_the_events_tell_the_whole_answer(serve: Serve) -> None:
    call = '<tool_call>{"name": "weather", "arguments": {"city": "Zürich"}}</tool_call>'
    reply = f"<think>Hm.</think>Let me look.\n{call}\n{call}"
    url = serve({"scripts": [{"when": "hello", "reply": reply}]}, model={"reasoning": "think"})
    told = events(url, tools=[WEATHER])
    done = [e["item"] for e in told if e["type"] == "response.output_item.done"]
    assert told[-1]["response"]["output"] == done
    assert [item["type"] for item in done] == ["reasoning", "message", *["function_call"] * 2]
    deltas = [e for e in told if e["type"] == "response.function_call_arguments.delta"]
    for place in (2, 3):
        text = "".join(e["delta"] for e in deltas if e["output_index"] == place)
        assert text == done[place]["arguments"] == '{"city": "Zürich"}'


def test_a_failure_in_mid_stream_is_the_last_event(serve: Serve) -> None:
    told = events(serve({"faults": {"fail_at_token": 3}}))
    assert told[-1]["type"] == "response.failed"
    assert told[-1]["response"]["error"]["code"] == "server_error"
    assert [e["sequence_number"] for e in told] == list(range(len(told)))


def test_a_refusal_of_a_stream_keeps_its_status(url: str) -> None:
    assert post(url, stream=True, input="x " * 9000).status_code == 400

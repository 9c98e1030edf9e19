"""Custom tools take one text: for the model they are functions with one argument."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.conftest import Serve

PATCH = {"type": "custom", "name": "patch", "description": "Change a file."}
GRAMMAR = {"syntax": "lark", "definition": 'start: "+" /.+/'}
TEXT = '+ é "quoted" \\ 😀\n'
Ask = Callable[..., dict[str, Any]]


def reply(arguments: str) -> str:
    return f'<tool_call>{{"name": "patch", "arguments": {arguments}}}</tool_call>'


def scripts(*replies: tuple[str, str]) -> dict[str, Any]:
    return {"scripts": [{"when": when, "reply": text} for when, text in replies]}


def respond(url: str, **fields: Any) -> dict[str, Any]:
    body = {"model": "sim", "input": "Say hello.", "tools": [PATCH]} | fields
    answer = httpx.post(f"{url}/v1/responses", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def chat(url: str, **fields: Any) -> httpx.Response:
    tool = {"type": "custom", "custom": {k: v for k, v in PATCH.items() if k != "type"}}
    messages = [{"role": "user", "content": "Say hello."}]
    body = {"model": "sim", "messages": messages, "tools": [tool]} | fields
    return httpx.post(f"{url}/v1/chat/completions", json=body)


def chunks(answer: httpx.Response) -> list[dict[str, Any]]:
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line[:1] == "d"]
    return [json.loads(line) for line in lines[:-1]]


def test_a_call_of_a_response_is_an_item_with_its_input(serve: Serve) -> None:
    url = serve(scripts(("hello", f"Well.{reply(json.dumps({'input': TEXT}))}")))
    _, call = respond(url)["output"]
    assert (call["type"], call["name"], call["input"]) == ("custom_tool_call", "patch", TEXT)


def test_a_call_can_be_sent_back_with_its_output(serve: Serve) -> None:
    url = serve(scripts(("Done 1.", "Good."), ("hello", reply(json.dumps({"input": TEXT})))))
    (call,) = respond(url)["output"]
    said = {"role": "user", "content": "Say hello."}
    output = {"type": "custom_tool_call_output", "call_id": call["call_id"], "output": "Done 1."}
    (message,) = respond(url, input=[said, call, output])["output"]
    assert message["content"][0]["text"] == "Good."


def test_the_input_comes_piece_by_piece(serve: Serve) -> None:
    url = serve(scripts(("hello", reply(json.dumps({"input": TEXT})))))
    body = {"model": "sim", "input": "Say hello.", "tools": [PATCH], "stream": True}
    lines = httpx.post(f"{url}/v1/responses", json=body).text.splitlines()
    events = [json.loads(line.removeprefix("data: ")) for line in lines if line[:1] == "d"]
    deltas = [e["delta"] for e in events if e["type"] == "response.custom_tool_call_input.delta"]
    (done,) = [e for e in events if e["type"] == "response.custom_tool_call_input.done"]
    assert "".join(deltas) == done["input"] == TEXT
    assert len([delta for delta in deltas if delta]) > 1


def test_a_call_of_a_chat_has_its_input(serve: Serve) -> None:
    url = serve(scripts(("hello", reply(json.dumps({"input": TEXT})))))
    choice = chat(url).json()["choices"][0]
    (call,) = choice["message"]["tool_calls"]
    assert (call["type"], call["custom"]) == ("custom", {"name": "patch", "input": TEXT})
    assert choice["finish_reason"] == "tool_calls"


def test_the_chunks_of_a_chat_join_to_the_input(serve: Serve) -> None:
    url = serve(scripts(("hello", reply(json.dumps({"input": TEXT})))))
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks(chat(url, stream=True))]
    calls = [call for delta in deltas for call in delta.get("tool_calls", ())]
    assert calls[0]["custom"]["name"] == "patch"
    assert "".join(call["custom"]["input"] for call in calls) == TEXT


def test_a_call_of_a_chat_can_be_sent_back(serve: Serve) -> None:
    url = serve(scripts(("Done 1.", "Good."), ("hello", reply(json.dumps({"input": TEXT})))))
    answer = chat(url).json()["choices"][0]["message"]
    result = {"role": "tool", "tool_call_id": answer["tool_calls"][0]["id"], "content": "Done 1."}
    messages = [{"role": "user", "content": "Say hello."}, answer, result]
    again = chat(url, messages=messages).json()
    assert again["choices"][0]["message"]["content"] == "Good."


@pytest.mark.parametrize(
    "choice", [{"type": "custom", "name": "patch"}, "required"], ids=["named", "required"]
)
def test_a_call_can_be_forced(url: str, choice: Any) -> None:
    (call,) = respond(url, tool_choice=choice)["output"]
    assert (call["type"], call["name"]) == ("custom_tool_call", "patch")
    assert not call["input"].startswith("{")


@pytest.mark.parametrize(
    ("arguments", "input_"),
    [
        ('{"input": "a\\qb"}', "a\\qb"),
        ('{"input": "c:\\users"}', "c:\\users"),
        ('{"input": "half \\ud83d"}', "half \N{REPLACEMENT CHARACTER}"),
        ('{"patch": "a"}', "a"),
        ('{"file": "a", "input": "b"}', "b"),
        ('{"a": 1, "b": 2}', '{"a": 1, "b": 2}'),
        ("{}", "{}"),
    ],
)
def test_arguments_that_are_not_quite_right_are_read(
    serve: Serve, arguments: str, input_: str
) -> None:
    (call,) = respond(serve(scripts(("hello", reply(arguments)))))["output"]
    assert call["input"] == input_


def test_two_calls_are_two_items(serve: Serve) -> None:
    url = serve(scripts(("hello", reply('{"input": "a"}') + reply('{"input": "b"}'))))
    assert [call["input"] for call in respond(url)["output"]] == ["a", "b"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"format": {"type": "grammar"}}, "tools[0].format.syntax"),
        ({"format": {"type": "text", "definition": "a"}}, "tools[0].format.definition"),
        ({"name": ""}, "tools[0].name"),
    ],
)
def test_a_declaration_that_is_not_whole_is_refused(
    url: str, fields: dict[str, Any], param: str
) -> None:
    body = {"model": "sim", "input": "Say hello.", "tools": [PATCH | fields]}
    answer = httpx.post(f"{url}/v1/responses", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_a_grammar_is_taken(url: str) -> None:
    flat = {"type": "grammar"} | GRAMMAR
    assert respond(url, tools=[PATCH | {"format": flat}])["tools"][0]["format"] == flat
    custom = {"name": "patch", "format": {"type": "grammar", "grammar": GRAMMAR}}
    assert chat(url, tools=[{"type": "custom", "custom": custom}]).status_code == 200

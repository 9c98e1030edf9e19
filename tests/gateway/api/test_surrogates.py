"""Halves of surrogate pairs, which clients leave when they cut a text: each is U+FFFD."""

import json

import httpx
import pytest

from gateway.api.chat.tools import AssistantToolCall
from tests.raw_http import BODY, CHAT

HALVES = {
    "value": (rb'{"model": "sim", "prompt": "a\ud83d"}', "a�"),
    "two halves": (rb'{"model": "sim", "prompt": "\udc00\ud800"}', "��"),
    "a whole pair": (rb'{"model": "sim", "prompt": "\ud83d\ude00"}', "😀"),
    "no escape": (rb'{"model": "sim", "prompt": "\\ud83d"}', r"\ud83d"),
    "upper case": (rb'{"model": "sim", "prompt": "\uD83D\uDE00\uDE00"}', "😀�"),
}


@pytest.mark.parametrize("case", HALVES.values(), ids=HALVES)
def test_half_a_surrogate_becomes_a_replacement_character(
    url: str, case: tuple[bytes, str]
) -> None:
    raw, text = case
    answer = httpx.post(
        f"{url}/tokenize", content=raw, headers={"content-type": "application/json"}
    )
    whole = httpx.post(f"{url}/tokenize", json={"model": "sim", "prompt": text})
    assert (answer.status_code, answer.json()) == (200, whole.json())


def test_half_a_surrogate_in_a_key_and_in_a_call_is_served(url: str) -> None:
    call = {
        "id": "1",
        "type": "function",
        "function": {"name": "f", "arguments": '{"a": "\\ud800"}'},
    }
    messages = [
        *BODY["messages"],
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "x\ud800"},
    ]
    tool = {"name": "f", "parameters": {"type": "object", "properties": {"\udc00": {}}}}
    body = BODY | {"messages": messages, "tools": [{"type": "function", "function": tool}]}
    answer = httpx.post(
        url + CHAT, content=json.dumps(body), headers={"content-type": "application/json"}
    )
    assert answer.status_code == 200


def test_half_a_surrogate_in_the_arguments_of_a_call_is_in_no_prompt() -> None:
    function = {"name": "f", "arguments": r'{"a\udc00": ["\ud800", "\ud83d\ude00"]}'}
    call = AssistantToolCall.model_validate({"id": "1", "function": function})
    arguments = call.for_template()["function"]["arguments"]
    assert arguments == {"a\ufffd": ["\ufffd", "😀"]}

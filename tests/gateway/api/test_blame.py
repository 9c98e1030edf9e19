"""Where two things are wrong with a request, the error names the cause."""

from typing import Any

import httpx
import pytest

from tests.raw_http import BODY, CHAT

RESULT = {"type": "function_call_output", "call_id": "call_1", "output": "rain"}
TOOL = {"type": "function", "function": {"name": "f"}}
RESPONSE = {"model": "sim", "input": "x"}
COMPLETION = {"model": "sim", "prompt": "x"}
CASES: dict[str, tuple[str, dict[str, Any], str]] = {
    "a result of a stored response": (
        "/v1/responses",
        RESPONSE | {"input": [RESULT], "previous_response_id": "resp_1"},
        "previous_response_id",
    ),
    "an item of a stored conversation": (
        "/v1/responses",
        RESPONSE | {"input": [{"type": "item_reference", "id": "a"}], "conversation": "conv_1"},
        "conversation",
    ),
    "a function beside a message that it makes": (
        CHAT,
        BODY | {"functions": [{}], "messages": [{"role": "function", "name": "f", "content": "x"}]},
        "functions",
    ),
    "options of no stream": (
        CHAT, BODY | {"stream": "yes", "stream_options": {"include_usage": True}}, "stream",
    ),
    "a choice of no tools": (CHAT, BODY | {"tools": 5, "tool_choice": "required"}, "tools"),
    "a choice of a wrong tool": (
        CHAT, BODY | {"tools": [TOOL | {"type": "x"}], "tool_choice": "required"}, "tools[0].type",
    ),
    "the most of no logprobs": (CHAT, BODY | {"logprobs": 2, "top_logprobs": 2}, "logprobs"),
    "more than no number": ("/v1/completions", COMPLETION | {"n": "2", "best_of": 2}, "n"),
    "the last": (CHAT, BODY | {"temperature": 9, "verbosity": "loud"}, "temperature"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_cause_is_named(url: str, case: tuple[str, dict[str, Any], str]) -> None:
    path, body, param = case
    answer = httpx.post(url + path, json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)

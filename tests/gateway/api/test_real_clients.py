"""What real clients send beside the message, each with its public source."""

from dataclasses import dataclass
from typing import Any

import httpx
import pytest

HELLO = [{"role": "user", "content": "Hello."}]
FUNCTION = {"name": "read", "parameters": {"type": "object", "properties": {}}}
# The stop strings of a chat model's template and of the next declaration in a file.
CONTINUE_STOPS = [
    "<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>",
    "<|repo_name|>", "<|file_sep|>", "<|im_start|>", "<|im_end|>", "/src/", "#- coding: utf-8",
    "```", "\nfunction", "\nclass", "\nmodule", "\nexport",
]  # fmt: skip


@dataclass(frozen=True)
class Sent:
    """Fields of a request, and those that have no effect here."""

    source: str
    fields: dict[str, Any]
    ignored: frozenset[str] = frozenset()
    path: str = "/v1/chat/completions"


CLIENTS = {
    "xcode": Sent(
        "https://github.com/local-inference-lab/vllm/pull/193", {"tools": [], "stream": True}
    ),
    "continue, 9 stop strings": Sent(
        "https://github.com/continuedev/continue/issues/2461", {"stop": CONTINUE_STOPS[:9]}
    ),
    "continue, 16 stop strings": Sent(
        "https://github.com/continuedev/continue/issues/1371",
        {"prompt": "Hello.", "stop": CONTINUE_STOPS, "messages": None},
        path="/v1/completions",
    ),
    "zed": Sent(
        "https://github.com/zed-industries/zed, crates/open_ai/src/completion.rs",
        {"reasoning_effort": "none", "stream": True, "stop": [], "temperature": 1.0},
    ),
    "dify": Sent(
        "https://github.com/langgenius/dify-official-plugins/pull/2496",
        {"enable_thinking": False, "chat_template_kwargs": {"enable_thinking": False}},
    ),
    "litellm, hosted_vllm": Sent(
        "https://github.com/BerriAI/litellm/pull/19787",
        {"reasoning_effort": "high", "stream": True},
        frozenset({"reasoning_effort"}),
    ),
    "vercel ai sdk, openai-compatible": Sent(
        "https://github.com/vercel/ai, packages/openai-compatible/src/chat",
        {
            "messages": [
                *HELLO,
                {
                    "role": "assistant",
                    "content": "",
                    "tool_calls": [
                        {
                            "id": "call_1",
                            "type": "function",
                            "function": {"name": "read", "arguments": "{}"},
                            "extra_content": {"google": {"thought_signature": "a"}},
                        }
                    ],
                },
                {"role": "tool", "tool_call_id": "call_1", "content": '{"type":"text"}'},
            ],
            "tools": [{"type": "function", "function": FUNCTION}],
            "tool_choice": "auto",
            "stream": True,
            "stream_options": {"include_usage": True},
        },
        frozenset({"messages[1].tool_calls[0].extra_content"}),
    ),
    "semantic-kernel, responses without a store": Sent(
        "https://github.com/microsoft/semantic-kernel/pull/11240",
        {
            "messages": None,
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "Hello."}]},
                {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "a-read",
                 "arguments": "{}"},
                {"type": "function_call_output", "call_id": "call_1", "output": "a"},
            ],
            "instructions": "Be brief.",
            "tools": [{"type": "function", **FUNCTION, "name": "a-read", "strict": False}],
            "store": False,
            "truncation": "auto",
            "metadata": {},
            "parallel_tool_calls": True,
        },
        path="/v1/responses",
    ),
}  # fmt: skip


@pytest.mark.parametrize("sent", CLIENTS.values(), ids=CLIENTS)
def test_what_a_client_sends_is_taken(url: str, sent: Sent) -> None:
    fields = {"model": "sim", "messages": HELLO} | sent.fields
    body = {name: value for name, value in fields.items() if value is not None}
    answer = httpx.post(url + sent.path, json=body)
    assert answer.status_code == 200, answer.text
    assert set(answer.headers.get("x-ignored-fields", "").split(", ")) - {""} == sent.ignored


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        # https://github.com/microsoft/semantic-kernel/pull/11240: the thread of a response
        (
            {
                "input": [{"type": "function_call_output", "call_id": "call_1", "output": "a"}],
                "previous_response_id": "resp_1",
            },
            "previous_response_id",
        ),
        # vercel/ai, packages/openai/src/responses/convert-to-openai-responses-input.ts
        (
            {
                "input": [
                    *HELLO,
                    {"type": "item_reference", "id": "fc_1"},
                    {"type": "function_call_output", "call_id": "call_1", "output": "a"},
                ]
            },
            "input[1].type",
        ),
    ],
    ids=["semantic-kernel", "vercel ai sdk"],
)
def test_what_needs_stored_responses_is_refused_by_its_cause(
    url: str, fields: dict[str, Any], param: str
) -> None:
    answer = httpx.post(f"{url}/v1/responses", json={"model": "sim"} | fields)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)

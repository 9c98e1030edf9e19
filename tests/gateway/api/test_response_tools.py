"""The tools of `/v1/responses` that a chat does not have: namespaces, and what OpenAI hosts."""

import json
from typing import Any

import httpx
import pytest

from tests.conftest import Serve

SPAWN = {"type": "function", "name": "spawn", "parameters": {"type": "object"}}
NOTE = {"type": "custom", "name": "note"}
SEARCH = {"type": "web_search", "search_context_size": "low"}
AGENTS = {
    "type": "namespace", "name": "agents", "description": "Other agents.", "tools": [SPAWN, NOTE]
}  # fmt: skip
SAID = {"role": "user", "content": "Say hello."}
CALL = '<tool_call>{"name": "agents__spawn", "arguments": {"a": 1}}</tool_call>'


def post(url: str, **fields: Any) -> httpx.Response:
    return httpx.post(f"{url}/v1/responses", json={"model": "sim", "input": [SAID]} | fields)


def ignored(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [name.strip() for name in answer.headers.get("x-ignored-fields", "").split(",") if name]


def answering(serve: Serve, reply: str) -> str:
    return serve({"scripts": [{"when": "Result 1.", "reply": "Good."},
                              {"when": "hello", "reply": reply}]})  # fmt: skip


def test_a_call_is_named_back_with_its_namespace(serve: Serve) -> None:
    (call,) = post(answering(serve, CALL), tools=[AGENTS]).json()["output"]
    assert (call["type"], call["namespace"], call["name"]) == ("function_call", "agents", "spawn")


def test_a_custom_tool_may_be_in_a_namespace(serve: Serve) -> None:
    reply = CALL.replace("spawn", "note").replace('{"a": 1}', '{"input": "a"}')
    (call,) = post(answering(serve, reply), tools=[AGENTS]).json()["output"]
    assert (call["type"], call["namespace"], call["name"]) == ("custom_tool_call", "agents", "note")


def test_a_call_with_a_namespace_can_be_sent_back(serve: Serve) -> None:
    url = answering(serve, CALL)
    (call,) = post(url, tools=[AGENTS]).json()["output"]
    result = {"type": "function_call_output", "call_id": call["call_id"], "output": "Result 1."}
    again = post(url, tools=[AGENTS], input=[SAID, call, result])
    assert again.json()["output"][0]["content"][0]["text"] == "Good."


@pytest.mark.parametrize(
    "choice",
    [
        {"type": "function", "name": "spawn", "namespace": "agents"},
        {"type": "function", "name": "agents__spawn"},
        {
            "type": "allowed_tools",
            "mode": "required",
            "tools": [
                {"type": "web_search"},
                {"type": "function", "name": "spawn", "namespace": "agents"},
            ],
        },
    ],
    ids=["namespace", "flat name", "allowed"],
)
def test_a_tool_of_a_namespace_can_be_forced(url: str, choice: dict[str, Any]) -> None:
    (call,) = post(url, tools=[AGENTS, SEARCH], tool_choice=choice).json()["output"]
    assert (call["namespace"], call["name"]) == ("agents", "spawn")


def test_tools_may_be_declared_in_the_input(serve: Serve) -> None:
    more = {"type": "additional_tools", "role": "developer", "tools": [SEARCH, AGENTS]}
    answer = post(answering(serve, CALL), input=[more, SAID])
    assert answer.json()["output"][0]["namespace"] == "agents"
    assert ignored(answer) == ["input[0].tools[0]"]


def test_hosted_tools_are_left_out_and_reported(url: str) -> None:
    inner = AGENTS | {"tools": [SPAWN, SEARCH]}
    answer = post(url, tools=[SPAWN, SEARCH, {"type": "from_next_year"}, inner])
    assert ignored(answer) == ["tools[1]", "tools[2]", "tools[3].tools[1]"]
    shown = answer.json()["tools"]
    assert [tool["type"] for tool in shown] == ["function", "namespace"]
    assert [tool["name"] for tool in shown[1]["tools"]] == ["spawn"]


@pytest.mark.parametrize(
    "choice",
    [
        {"type": "web_search"},
        {"type": "mcp", "server_label": "a"},
        {"type": "allowed_tools", "mode": "required", "tools": [{"type": "web_search"}]},
    ],
    ids=lambda choice: choice["type"],
)
def test_a_hosted_tool_that_is_demanded_is_refused_by_name(
    url: str, choice: dict[str, Any]
) -> None:
    error = post(url, tools=[SPAWN, SEARCH], tool_choice=choice).json()["error"]
    assert (error["param"], error["code"]) == ("tool_choice", "unsupported_value")
    assert "this gateway does not run" in error["message"]


def test_hosted_tools_that_are_merely_allowed_are_reported(url: str) -> None:
    allowed = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "web_search"}]}
    answer = post(url, tools=[SPAWN, SEARCH], tool_choice=allowed)
    assert ignored(answer) == ["tools[1]", "tool_choice.tools[0]"]


def test_what_hosted_tools_did_is_without_effect_and_reported(url: str) -> None:
    item = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {}}
    with_item, without = post(url, input=[item, SAID]), post(url)
    assert ignored(with_item) == ["input[0]"]
    assert with_item.json()["usage"] == without.json()["usage"]


@pytest.mark.parametrize("kind", ["item_reference", "compaction_trigger", "from_next_year"])
def test_an_item_of_an_unknown_kind_is_refused(url: str, kind: str) -> None:
    error = post(url, input=[{"type": kind}, SAID]).json()["error"]
    assert (error["param"], error["code"]) == ("input[0].type", "unsupported_value")


def test_a_name_that_is_too_long_with_its_namespace_is_refused(url: str) -> None:
    answer = post(url, tools=[AGENTS | {"name": "a" * 100, "tools": [SPAWN | {"name": "b" * 100}]}])
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "tools[0].tools")


def test_encrypted_reasoning_can_be_sent_back_without_its_text(serve: Serve) -> None:
    url = serve(
        {"scripts": [{"when": "hello", "reply": "<think>Well, well.</think>Hello."}]},
        model={"reasoning": "think"},
    )
    asked = post(url, include=["reasoning.encrypted_content"]).json()["output"]
    thought, message = asked
    sealed = {key: value for key, value in thought.items() if key != "content"}
    open_, closed = (post(url, input=[SAID, one, message, SAID]) for one in (thought, sealed))
    assert ignored(closed) == ignored(open_) == []
    assert closed.json()["usage"]["input_tokens"] == open_.json()["usage"]["input_tokens"]
    assert "encrypted_content" not in post(url).json()["output"][0]


def test_reasoning_that_another_server_encrypted_is_reported(url: str) -> None:
    thought = {"type": "reasoning", "summary": [], "encrypted_content": "gAAAAAB"}
    answer = post(url, input=[thought, {"role": "assistant", "content": "a"}, SAID])
    assert ignored(answer) == ["input[0].encrypted_content"]


def test_sampling_is_as_in_a_chat(url: str) -> None:
    def text(**fields: Any) -> str:
        return str(post(url, temperature=1, **fields).json()["output"][0]["content"][0]["text"])

    whole = text(seed=7)
    assert text(seed=7) == whole != text(seed=8)
    stop = whole.split()[3]
    assert text(seed=7, stop=[stop]) == whole[: whole.index(stop)]
    cut = post(url, ignore_eos=True, max_output_tokens=300, top_k=5).json()
    assert cut["usage"]["output_tokens"] == 300


def test_truncation_is_shown_as_it_was_asked_for(url: str) -> None:
    assert post(url, truncation="auto").json()["truncation"] == "auto"
    assert post(url).json()["truncation"] == "disabled"


def test_the_oldest_turns_are_dropped_and_reported_by_their_items(serve: Serve) -> None:
    url = serve(engine={"max_model_len": 128})
    call = {"type": "function_call", "call_id": "1", "name": "spawn", "arguments": "{}"}
    result = {"type": "function_call_output", "call_id": "1", "output": "word " * 60}
    spoken = {"role": "assistant", "content": "word " * 60}
    said = [{"role": "user", "content": "word " * 60}, spoken, call, result, spoken, SAID]
    answer = post(url, input=said, instructions="Be brief.", truncation="auto")
    assert ignored(answer)[:2] == ["input[0]", "input[1]"]
    assert not {"input[2]", "input[5]"} & set(ignored(answer))
    assert post(url, input=said).json()["error"]["code"] == "context_length_exceeded"


def test_what_codex_sends_with_each_request_is_taken(url: str) -> None:
    answer = post(
        url,
        client_metadata={"turn_id": "1"},
        include=["reasoning.encrypted_content"],
        parallel_tool_calls=True,
        prompt_cache_key="a",
        store=False,
        text={"verbosity": "low"},
    )
    assert ignored(answer) == ["text.verbosity"]
    assert json.loads(answer.text)["status"] == "completed"

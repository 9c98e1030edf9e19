"""Tools and reasoning over the wire, seen through the OpenAI SDK."""

import json
from typing import Any

import httpx
import openai
import pytest

from engine.tool_formats import FORMATS
from tests.conftest import Serve, running, sdk, simulated

CALL = '<tool_call>\n{"name": "weather", "arguments": {"city": "Zürich"}}\n</tool_call>'
XML = """<tool_call>
<function=weather>
<parameter=city>
Zürich
</parameter>
</function>
</tool_call>"""
HARMONY = (
    "<|channel|>commentary to=functions.weather <|constrain|>json<|message|>"
    '{"city": "Zürich"}<|call|>'
)
THOUGHT = "<|channel|>analysis<|message|>Ask the service.<|end|><|start|>assistant"
ASK = [{"role": "user", "content": "What is the weather?"}]
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": PARAMETERS}}]


def scripted(reply: str, **model: Any) -> Any:
    config = simulated({"scripts": [{"when": "weather?", "reply": reply}]})
    models = [config.models[0].model_copy(update=model)]
    return running(config.model_copy(update={"models": tuple(models)}))


def ask(client: openai.OpenAI, **fields: Any) -> Any:
    asked = {"model": "sim", "messages": ASK, "tools": TOOLS} | fields
    return client.chat.completions.create(**asked)


def streamed_calls(chunks: Any) -> list[dict[str, str]]:
    calls: list[dict[str, str]] = []
    for chunk in chunks:
        for call in (chunk.choices[0].delta.tool_calls or []) if chunk.choices else []:
            if call.index == len(calls):
                calls.append({"id": call.id, "name": call.function.name, "arguments": ""})
            calls[call.index]["arguments"] += call.function.arguments or ""
    return calls


@pytest.mark.parametrize(
    ("family", "reply"),
    [
        ("hermes", CALL),
        ("llama3_json", '{"name": "weather", "parameters": {"city": "Zürich"}}'),
        ("mistral", '[TOOL_CALLS][{"name": "weather", "arguments": {"city": "Zürich"}}]'),
        ("plain_json", '{"name": "weather", "arguments": {"city": "Zürich"}}'),
        ("pythonic", "[weather(city='Zürich')]"),
        ("qwen3_coder", XML),
        ("hermes", XML),
        ("deepseek_v3", FORMATS["deepseek_v3"].write_calls([("weather", {"city": "Zürich"})])),
        ("harmony", HARMONY),
    ],
)
def test_each_familys_calls_arrive_whole_and_streamed(family: str, reply: str) -> None:
    with scripted(reply, tool_parser=family) as url, sdk(url) as client:
        choice = ask(client).choices[0]
        (streamed,) = streamed_calls(ask(client, stream=True))
        last = list(ask(client, stream=True))[-1]
    (call,) = choice.message.tool_calls
    assert (choice.finish_reason, last.choices[0].finish_reason) == ("tool_calls", "tool_calls")
    assert choice.message.content is None
    assert (call.function.name, json.loads(call.function.arguments)) == (
        "weather",
        {"city": "Zürich"},
    )
    assert streamed["name"] == "weather"
    assert streamed["arguments"] == call.function.arguments
    assert streamed["id"].startswith("call_")


def test_the_loop_of_a_tool_ends_in_an_answer() -> None:
    with scripted(CALL) as url, sdk(url) as client:
        message = ask(client).choices[0].message
        result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "rain"}
        history = [{"role": "user", "content": "weather, please"}, message.model_dump(), result]
        assert ask(client, messages=history).choices[0].message.content


def test_parallel_calls_can_be_refused() -> None:
    with scripted(f"{CALL}\n{CALL}") as url, sdk(url) as client:
        assert len(ask(client).choices[0].message.tool_calls) == 2
        one = ask(client, parallel_tool_calls=False)
        assert len(one.choices[0].message.tool_calls) == 1


def test_without_tools_the_same_text_is_content(client: openai.OpenAI) -> None:
    with scripted(CALL) as url, sdk(url) as client:
        for fields in ({"tools": None}, {"tool_choice": "none"}):
            choice = ask(client, **fields).choices[0]
            assert (choice.message.content, choice.finish_reason) == (CALL, "stop")


def test_a_named_choice_is_called_for_sure(client: openai.OpenAI) -> None:
    choice = {"type": "function", "function": {"name": "weather"}}
    answer = ask(client, tool_choice=choice).choices[0]
    (call,) = answer.message.tool_calls
    assert "city" in json.loads(call.function.arguments)
    assert answer.finish_reason == "stop"


def test_required_calls_something_for_sure(client: openai.OpenAI) -> None:
    answer = ask(client, tool_choice="required").choices[0]
    assert [call.function.name for call in answer.message.tool_calls] == ["weather"]
    assert answer.finish_reason == "tool_calls"


def allowed(mode: str, *names: str) -> dict[str, Any]:
    tools = [{"type": "function", "function": {"name": name}} for name in names]
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}}


def test_of_the_allowed_tools_one_is_called_for_sure(client: openai.OpenAI) -> None:
    other = {"type": "function", "function": {"name": "clock"}}
    answer = ask(client, tools=[*TOOLS, other], tool_choice=allowed("required", "clock"))
    assert [call.function.name for call in answer.choices[0].message.tool_calls] == ["clock"]


def test_a_tool_that_is_not_allowed_is_not_called() -> None:
    other = {"type": "function", "function": {"name": "clock"}}
    with scripted(CALL) as url, sdk(url) as client:
        answer = ask(client, tools=[*TOOLS, other], tool_choice=allowed("auto", "clock"))
    assert answer.choices[0].message.tool_calls is None


def test_a_forced_call_is_refused_where_nothing_can_force_it(serve: Serve) -> None:
    with sdk(serve({"unsupported": ["structured"]})) as client:
        with pytest.raises(openai.BadRequestError) as refused:
            ask(client, tool_choice="required")
        assert (refused.value.code, refused.value.param) == ("unsupported_parameter", "tool_choice")
        assert ask(client).choices


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [TOOLS[0] | {"type": "custom"}]}, "tools[0].type"),
        ({"tools": None, "tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "x"}}}, "tool_choice"),
        ({"tool_choice": {"type": "custom", "custom": {"name": "x"}}}, "tool_choice.type"),
        ({"tool_choice": allowed("auto", "x")}, "tool_choice"),
        ({"tool_choice": allowed("auto")}, "tool_choice.allowed_tools.tools"),
        ({"tool_choice": {"type": "allowed_tools"}}, "tool_choice.allowed_tools"),
        ({"tool_choice": 5}, "tool_choice"),
        ({"messages": [{"role": "tool", "content": "x", "tool_call_id": "none"}]}, "messages"),
    ],
    ids=str,
)
def test_what_cannot_be_met_is_refused_by_name(
    url: str, fields: dict[str, Any], param: str
) -> None:
    body = {"model": "sim", "messages": ASK, "tools": TOOLS} | fields
    answer = httpx.post(f"{url}/v1/chat/completions", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_a_thought_comes_under_both_names() -> None:
    reply = "<think>Hm, rain.</think>It rains."
    with scripted(reply, reasoning="think") as url, sdk(url) as client:
        message = ask(client, tools=None).choices[0].message
        deltas = [c.choices[0].delta for c in ask(client, tools=None, stream=True)]
        usage = ask(client, tools=None).usage
    assert 0 < usage.completion_tokens_details.reasoning_tokens < usage.completion_tokens
    assert (message.content, message.reasoning_content) == ("It rains.", "Hm, rain.")
    assert message.reasoning == message.reasoning_content
    assert "".join(getattr(d, "reasoning_content", None) or "" for d in deltas) == "Hm, rain."
    assert "".join(d.content or "" for d in deltas) == "It rains."


def test_a_thought_may_come_before_a_call() -> None:
    with scripted(f"<think>Ask.</think>{CALL}", reasoning="think") as url, sdk(url) as client:
        message = ask(client).choices[0].message
    assert message.reasoning_content == "Ask."
    assert len(message.tool_calls) == 1


def test_channels_are_reasoning_content_and_calls_without_any_setting() -> None:
    with scripted(THOUGHT + HARMONY, tool_parser="harmony") as url, sdk(url) as client:
        message = ask(client).choices[0].message
        usage = ask(client).usage
    assert message.reasoning_content == "Ask the service."
    assert [call.function.name for call in message.tool_calls] == ["weather"]
    assert message.content is None
    assert 0 < usage.completion_tokens_details.reasoning_tokens < usage.completion_tokens


@pytest.mark.parametrize("fields", [{"tools": None}, {"tool_choice": "none"}], ids=str)
def test_channels_are_read_without_tools(fields: dict[str, Any]) -> None:
    reply = f"{THOUGHT}<|channel|>final<|message|>It rains."
    with scripted(reply, tool_parser="harmony") as url, sdk(url) as client:
        message = ask(client, **fields).choices[0].message
        deltas = [c.choices[0].delta for c in ask(client, stream=True, **fields)]
    assert (message.reasoning_content, message.content) == ("Ask the service.", "It rains.")
    assert "".join(d.content or "" for d in deltas) == "It rains."


def test_a_forced_call_is_plain_json_where_answers_have_channels() -> None:
    named = {"type": "function", "function": {"name": "weather"}}
    with scripted("unused", tool_parser="harmony") as url, sdk(url) as client:
        for choice in ("required", named):
            said = [{"role": "user", "content": "Rain?"}]
            message = ask(client, messages=said, tool_choice=choice).choices[0].message
            assert [call.function.name for call in message.tool_calls] == ["weather"]


def test_a_parameter_in_xml_has_its_declared_type() -> None:
    schema = {"type": "object", "properties": {"days": {"type": "integer"}}}
    tool = {"type": "function", "function": {"name": "weather", "parameters": schema}}
    reply = "<tool_call><function=weather><parameter=days>\n3\n</parameter></function></tool_call>"
    with scripted(reply, tool_parser="qwen3_coder") as url, sdk(url) as client:
        (call,) = ask(client, tools=[tool]).choices[0].message.tool_calls
    assert json.loads(call.function.arguments) == {"days": 3}

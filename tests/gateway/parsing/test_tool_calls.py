"""Tool calls of every family, the same however the text is cut."""

import json
from itertools import count, pairwise, product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.parsing.deltas import ContentDelta, MessageDelta, ToolCallDelta, join_deltas
from gateway.parsing.tool_calls import FAMILIES, default_family, make_parser
from tests.gateway.parsing.tool_texts import (
    CALL,
    LONE,
    NESTED,
    OTHER,
    STRING,
    SWAPPED,
    TEXTS,
    UNKNOWN,
    XML,
)

NAMES: dict[str, dict[str, Any]] = {"get_weather": {}, "f": {}, "add-2": {}}
EVERY = [(family, text) for family, texts in TEXTS.items() for text in texts]


def parsed(family: str, *pieces: str, limit: int | None = None) -> list[MessageDelta]:
    ids = count()
    parser = make_parser(family, NAMES, limit, lambda: f"call_{next(ids)}")
    parts = [part for piece in pieces for part in parser.feed(piece)]
    return join_deltas([*parts, *parser.finish()])


def calls(parts: list[MessageDelta]) -> list[tuple[str | None, Any]]:
    return [(p.name, json.loads(p.arguments)) for p in parts if isinstance(p, ToolCallDelta)]


def content(parts: list[MessageDelta]) -> str:
    return "".join(part.text for part in parts if isinstance(part, ContentDelta))


def call(index: int, name: str, arguments: str) -> ToolCallDelta:
    return ToolCallDelta(index, f"call_{index}", name, arguments)


F, F1 = call(0, "f", "{}"), call(1, "f", "{}")
WEATHER = call(0, "get_weather", NESTED)


@pytest.mark.parametrize(
    ("family", "text", "parts"),
    [
        ("llama3_json", TEXTS["llama3_json"][0], [WEATHER, F1]),
        ("llama3_json", f"{OTHER} ; ", [F]),
        ("llama3_json", f"{UNKNOWN}; {OTHER}", [ContentDelta(UNKNOWN), F]),
        ("hermes", f"<tool_call>\n{CALL}\n</tool_call>", [WEATHER]),
        ("hermes", f'<tool_call>{OTHER[:-1]}, "id": [1]}}</tool_call>', [F]),
        (
            "hermes",
            f"A\n<tool_call>{OTHER}</tool_call>\nB",
            [ContentDelta("A"), F, ContentDelta("\nB")],
        ),
        ("mistral", f"[TOOL_CALLS] [{CALL},{OTHER}]", [WEATHER, F1]),
        ("mistral", f"[TOOL_CALLS]f{NESTED}", [call(0, "f", NESTED)]),
        ("mistral", TEXTS["mistral"][1], [call(0, "f", NESTED), call(1, "add-2", "{}")]),
        ("mistral", "[TOOL_CALLS]f[CALL_ID]a1[ARGS]{}", [F]),
        ("plain_json", f"[{OTHER}, {CALL}]\n", [F, call(1, "get_weather", NESTED)]),
        ("plain_json", SWAPPED, [call(0, "f", '{"a": [1, "}"]}')]),
        ("plain_json", STRING, [call(0, "f", '{"é": "\\n"}')]),
        ("plain_json", '{"name": "f", "arguments": null}', [F]),
        ("plain_json", '{"name": "f", "arguments": ""}', [F]),
        ("plain_json", '{"name": "f"}', [F]),
        (
            "plain_json",
            '{"name": "f", "arguments": {"a": "1\n2"}}',
            [call(0, "f", '{"a": "1\\n2"}')],
        ),
        ("plain_json", LONE, [call(0, "f", r'{"a": "\ud800"}')]),
        ("hermes", f"<tool_call>\n{XML}\n</tool_call>", [call(0, "f", r'{"a": "1 < 2\n</p"}')]),
        ("hermes", f"<tool_call>{OTHER}<tool_call>{OTHER}</tool_call>", [F, F1]),
    ],
)
def test_calls(family: str, text: str, parts: list[MessageDelta]) -> None:
    assert parsed(family, text) == parts


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n",
        "plain text < [ { ",
        UNKNOWN,
        f"<tool_call>{UNKNOWN}</tool_call>",
        f"[TOOL_CALLS][{UNKNOWN}]",
        f"[TOOL_CALLS]rm{NESTED}",
        f"<|python_tag|>{UNKNOWN}; ",
        "<|python_tag|>print(1)",
        '<tool_call>{"name": f, "arguments": {}}</tool_call>',
        '{"name": "f", "arguments": 7}',
        '{"name": "f", "arguments": "no json"}',
        '{"arguments": {"a": 1], "name": "f"}',
        '{"city": "Paris", "temperature": 21}',
        '{"name": ["f"], "arguments": {}}',
        "[1, 2, 3]",
        '{"a": ' + "[" * 100_000,
        '{"name": ' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"name": ' + "1" * 5000 + "}",
        "<tool_c",
        "[TOOL_CALLS",
        "[TOOL_CALLS]f[CALL_ID]",
        "[f, f(, rm(a=1)]",
        "[f('positional')]",
        "[f(a=b)]",
        "[f(a=f())]",
        "[rm(a='x'), rm()]",
        "<tool_call>\n<function=rm>\n<parameter=a>\n1\n</parameter>\n</function>\n</tool_call>",
        "<function=f> is an element, </function> its end",
        f"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>rm<｜tool▁sep｜>{NESTED}<｜tool▁call▁end｜>",
        "<｜tool▁call▁begin｜>f<｜tool▁sep｜>x",
        "to=functions.f",
        "<|chan",
    ],
    ids=lambda text: text[:40],
)
def test_what_is_no_call_comes_out_unchanged(family: str, text: str) -> None:
    assert join_deltas(parsed(family, text)) == ([ContentDelta(text)] if text else [])


@pytest.mark.parametrize(("family", "text"), EVERY)
def test_cuts_do_not_matter(family: str, text: str) -> None:
    whole = parsed(family, text)
    assert parsed(family, *text) == whole
    for a, b in product(range(len(text) + 1), range(16)):
        assert parsed(family, text[:a], text[a : a + b], text[a + b :]) == whole


@given(st.data(), st.sampled_from(EVERY))
def test_random_cuts_do_not_matter(data: st.DataObject, example: tuple[str, str]) -> None:
    family, text = example
    assert parsed(family, *cut(data, text)) == parsed(family, text)


def cut(data: st.DataObject, text: str) -> list[str]:
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=20))
    ends = [0, *sorted(cuts), len(text)]
    return [text[a:b] for a, b in pairwise(ends)]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
WANTED = st.lists(
    st.tuples(st.sampled_from(sorted(NAMES)), st.dictionaries(st.text(), JSON, max_size=3)),
    min_size=1,
    max_size=3,
)


def written(family: str, wanted: list[tuple[str, Any]], style: dict[str, Any], twice: bool) -> str:
    objects = [
        json.dumps({"name": n, "arguments": json.dumps(a) if twice else a}, **style)
        for n, a in wanted
    ]
    return {
        "llama3_json": "<|python_tag|>" + "; ".join(objects),
        "hermes": "\n".join(f"<tool_call>\n{each}\n</tool_call>" for each in objects),
        "mistral": f"[TOOL_CALLS] [{', '.join(objects)}]",
        "plain_json": f"[{', '.join(objects)}]",
    }[family]


@pytest.mark.parametrize("family", ["llama3_json", "hermes", "mistral", "plain_json"])
@given(st.data(), WANTED, st.booleans(), st.booleans(), st.sampled_from([None, 2]), st.booleans())
def test_any_well_formed_calls_are_read(
    family: str,
    data: st.DataObject,
    wanted: list[Any],
    ascii_: bool,
    sort: bool,
    indent: Any,
    twice: bool,
) -> None:
    style = {"ensure_ascii": ascii_, "sort_keys": sort, "indent": indent}
    parts = parsed(family, *cut(data, written(family, wanted, style, twice)))
    assert calls(parts) == wanted
    assert [p.index for p in parts if isinstance(p, ToolCallDelta)] == list(range(len(wanted)))
    assert content(parts) == ""


TOKENS = st.sampled_from(
    [
        *("<tool_call>", "</tool_call>", "[TOOL_CALLS]", "[ARGS]", "[CALL_ID]", "<|python_tag|>"),
        *("{", "}", "[", "]", '"', "\\", '"name"', '"arguments"', '"f"', "f", "1", "null"),
        *(";", ",", ":", " ", "\n", "思", CALL, OTHER, UNKNOWN, STRING, OTHER[:-1]),
        '{"name": "f", "arguments": ',
        *("<function=", ">", "</function>", "<parameter=", "</parameter>", "<function=f>", "a=1"),
        *("(", ")", "'", "f(", "a=", "<|python_start|>", "<|python_end|>", "True", "-"),
        *("<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "```json\n", "```"),
        *("<｜tool▁call▁end｜>", "<｜tool▁calls▁end｜>"),
    ]
)
ANY = st.text() | st.lists(TOKENS, max_size=25).map("".join)
HARMONY = st.sampled_from(
    [
        *("<|start|>", "<|channel|>", "<|constrain|>", "<|message|>", "<|end|>", "<|call|>", "<"),
        *("assistant", "analysis", "final", "commentary", " to=functions.f", " to=rm", " ", "{}"),
        *(NESTED, "<|return|>", "text", "\n", "<|"),
    ]
)


@pytest.mark.parametrize("family", FAMILIES)
@given(st.data(), ANY)
def test_any_text_is_read_without_a_crash_or_a_loss(
    family: str, data: st.DataObject, text: str
) -> None:
    whole = parsed(family, text)
    assert parsed(family, *cut(data, text)) == whole
    assert all(bool(p.arguments or p.id) if isinstance(p, ToolCallDelta) else p.text for p in whole)
    if not any(isinstance(part, ToolCallDelta) for part in whole):
        assert content(whole) == text


@given(st.data(), st.lists(HARMONY, max_size=25).map("".join))
def test_messages_are_read_the_same_however_they_are_cut(data: st.DataObject, text: str) -> None:
    whole = parsed("harmony", text)
    assert parsed("harmony", *cut(data, text)) == whole
    assert len([p for p in whole if isinstance(p, ToolCallDelta)]) <= text.count("to=")


def test_arguments_are_streamed_as_they_come() -> None:
    parser = make_parser("hermes", NAMES, make_id=lambda: "call_a")
    assert parser.feed("Wait") == [ContentDelta("Wait")]
    assert parser.feed(".\n<tool_call>") == [ContentDelta(".")]
    assert parser.feed('{"name": "f", "arguments": ') == []
    assert parser.feed('{"a": ') == [ToolCallDelta(0, "call_a", "f", '{"a": ')]
    assert parser.feed("1") == [ToolCallDelta(0, None, None, "1")]
    assert parser.feed("}}\n</tool") == [ToolCallDelta(0, None, None, "}")]
    assert parser.feed("_call>\n") == []
    assert parser.finish() == []


def test_a_marker_that_turns_out_to_be_text_is_released() -> None:
    parser = make_parser("hermes", NAMES)
    assert parser.feed("a <tool_c") == [ContentDelta("a")]
    assert parser.feed("hest>") == [ContentDelta(" <tool_chest>")]


def test_calls_beyond_the_limit_are_left_out() -> None:
    text = f"<tool_call>{OTHER}</tool_call>\n<tool_call>{CALL}</tool_call> end"
    assert parsed("hermes", text, limit=1) == [F, ContentDelta(" end")]


def test_a_call_that_breaks_off_keeps_its_name_and_loses_no_text() -> None:
    text = '<tool_call>{"name": "f", "arguments": {"a": 1}, oops</tool_call>'
    assert parsed("hermes", text) == [call(0, "f", '{"a": 1}'), ContentDelta(", oops</tool_call>")]
    assert parsed("hermes", text[:44]) == [call(0, "f", '{"a": ')]


def test_ids_are_made_once_per_call() -> None:
    parser = make_parser("llama3_json", NAMES)
    parts = [part for char in f"{OTHER};{CALL}" for part in parser.feed(char)]
    ids = [part.id for part in parts if isinstance(part, ToolCallDelta) and part.id]
    assert len(set(ids)) == 2
    assert all(each.startswith("call_") and len(each) == 29 for each in ids)


@pytest.mark.parametrize(
    ("model_type", "family"),
    [
        ("llama", "llama3_json"),
        ("llama4", "pythonic"),
        ("qwen3", "hermes"),
        ("qwen3_5_moe", "qwen3_coder"),
        ("mistral", "mistral"),
        ("deepseek_v3", "deepseek_v3"),
        ("gpt_oss", "harmony"),
        ("x", "plain_json"),
    ],
)
def test_a_model_type_has_a_default_family(model_type: str, family: str) -> None:
    assert default_family(model_type) == family

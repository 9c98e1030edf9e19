"""What prompts say of tools, in each family's words."""

from typing import Any

import pytest

from engine.tool_formats import FORMATS, ToolFormat

PARAMETERS = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "days": {"type": "integer"},
        "unit": {"enum": ["C", "F"]},
        "note": {"type": ["string", "null"]},
    },
    "required": ["days", "unit", "note", "gone"],
}
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": PARAMETERS}}
CLOCK = {"type": "function", "function": {"name": "ns.clock-2", "description": "The time 😀."}}
EVERY = pytest.mark.parametrize("format_", FORMATS.values(), ids=FORMATS)


@EVERY
def test_instructions_have_every_function_and_an_example_of_a_call(format_: ToolFormat) -> None:
    text = format_.instructions([WEATHER, CLOCK])
    example = format_.write_calls([("weather", {"days": 1, "unit": "C", "note": "..."})])
    assert example in text
    assert '"ns.clock-2"' in text
    assert "The time 😀." in text


@EVERY
@pytest.mark.parametrize(
    "schema",
    [None, True, {}, {"properties": 1}, {"properties": {"a": True}}, {"required": ["a"]}],
    ids=str,
)
def test_any_schema_gives_an_example(format_: ToolFormat, schema: Any) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    arguments = {"a": "..."} if schema == {"properties": {"a": True}} else {}
    assert format_.write_calls([("f", arguments)]) in format_.instructions([tool])


@EVERY
def test_a_result_is_written_as_it_is_or_as_json(format_: ToolFormat) -> None:
    text = format_.write_result("f", "21 °C, sunny")
    assert "21 °C, sunny" in text
    assert "\ud800" not in format_.write_calls([("f", {"a": "\ud800"})])


@EVERY
def test_arguments_that_are_no_json_are_written_as_they_are(format_: ToolFormat) -> None:
    assert '{"a": 1' in format_.write_calls([("f", '{"a": 1')])

"""`ToolFormat`: how the models of a family write tool calls."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final

Arguments = Mapping[str, Any] | str
Call = tuple[str, Arguments]
Tool = Mapping[str, Any]

_EXAMPLES: Final[dict[str, Any]] = {
    "integer": 1, "number": 1.5, "boolean": True, "array": [], "object": {}, "null": None,
}  # fmt: skip


class ToolFormat(ABC):
    """The written form of calls, of the functions that a prompt offers, and of results.

    Its markers are class attributes, which the grammar that reads the calls uses too.
    """

    models: ClassVar[str]
    """The models that write it, for the documentation."""
    how: ClassVar[str]
    """How a call is written, as an instruction: "answer with ..."."""
    has_channels: ClassVar[bool] = False
    """Whether every answer is written in this format, without tools too. Then its special tokens
    must not be skipped, and its grammar finds the reasoning."""

    @abstractmethod
    def write_calls(self, calls: Sequence[Call]) -> str:
        """Return the calls of one turn, a name and its arguments each, as the models write them.

        Arguments that are no JSON object are a text, which is written as it is.
        """

    def write_result(self, name: str, content: str) -> str:
        """Return a call's result as the text of a user's turn."""
        return f"The function {name} returned:\n{content}"

    def write_tools(self, tools: Sequence[Tool]) -> str:
        """Return the functions that can be called, as JSON."""
        return "\n".join(map(to_json, tools))

    def instructions(self, tools: Sequence[Tool]) -> str:
        """Return system text: the functions, and how to call one, with an example."""
        example = self.write_calls([_example_call(tools[0])])
        return (
            "# Tools\n\nYou can call the functions below to answer the user. Each is given as "
            f"JSON, with a schema of its parameters.\n\n{self.write_tools(tools)}\n\n"
            f"If no function is needed, answer in plain words. To call one, {self.how}. The result "
            f"comes in the next message. An example of a call:\n{example}"
        )


def to_json(value: object) -> str:
    """Return JSON with characters as they are, lone surrogates alone escaped."""
    return escape_surrogates(json.dumps(value, ensure_ascii=False))


def escape_surrogates(text: str) -> str:
    """Return the text with lone surrogates, which no tokenizer takes, as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def arguments_text(arguments: Arguments) -> str:
    """Return the arguments of a call as JSON, or the text that they are; "" stands for none."""
    return (arguments.strip() or "{}") if isinstance(arguments, str) else to_json(arguments)


def json_call(call: Call, arguments_key: str = "arguments") -> str:
    """Return a call as a JSON object with its name and its arguments."""
    name, arguments = call
    return f'{{"name": {to_json(name)}, "{arguments_key}": {arguments_text(arguments)}}}'


def _example_call(tool: Tool) -> Call:
    """Return a call of a function, as OpenAI's API describes it, with values that fit its types."""
    function = tool.get("function") or {}
    return str(function.get("name", "")), dict(_example_arguments(function.get("parameters")))


def _example_arguments(schema: Any) -> Iterator[tuple[str, Any]]:
    """Yield the required arguments; the first one where none is required."""
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    if not isinstance(properties, Mapping):
        return
    required = [name for name in schema.get("required") or () if name in properties]
    for name in required or list(properties)[:1]:
        yield name, _example_value(properties[name])


def _example_value(schema: Any) -> Any:
    if not isinstance(schema, Mapping):
        return "..."
    if isinstance(schema.get("enum"), Sequence) and schema["enum"]:
        return schema["enum"][0]
    type_ = schema.get("type")
    return _EXAMPLES.get(type_, "...") if isinstance(type_, str) else "..."

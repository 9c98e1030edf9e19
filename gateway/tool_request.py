"""What a client says of tools: their declarations, its choice among them, past calls."""

import json
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from engine import Structured
from gateway.response_format import Name, valid_schema
from gateway.wire import WireModel


class Function(WireModel):
    """A function that the model may call; without `parameters` it takes none."""

    name: Name
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None

    @field_validator("parameters")
    @classmethod
    def _is_a_schema(cls, schema: dict[str, Any] | None) -> dict[str, Any] | None:
        return valid_schema(schema)

    @property
    def arguments_schema(self) -> dict[str, Any]:
        """Give the arguments' schema; an empty object where none is declared."""
        return self.parameters or {"type": "object", "properties": {}}


class Tool(WireModel):
    """A declared tool; functions are the only kind."""

    type: Literal["function"]
    function: Function


class NamedFunction(WireModel):
    """The function that has to be called."""

    name: str


class NamedChoice(WireModel):
    """A choice of one function by name."""

    type: Literal["function"]
    function: NamedFunction


ToolChoice = Literal["none", "auto", "required"] | NamedChoice
Tools = Annotated[list[Tool], Field(min_length=1, max_length=128)]


class PastFunction(WireModel):
    """What was called, with its arguments as a JSON string."""

    name: str
    arguments: str


class PastCall(WireModel):
    """A call in an assistant's message that is sent back."""

    id: str
    type: Literal["function"] = "function"
    function: PastFunction
    index: int | None = None

    def for_template(self) -> dict[str, Any]:
        """Give the call as chat templates read it, with its arguments as an object."""
        try:
            arguments = json.loads(self.function.arguments or "{}")
        except ValueError:
            arguments = self.function.arguments  # what the model wrote once; it may read it again
        function = {"name": self.function.name, "arguments": arguments}
        return {"id": self.id, "type": "function", "function": function}


def check_choice(choice: ToolChoice | None, tools: list[Tool]) -> None:
    """Refuse a choice that the declared tools cannot meet; raises PydanticCustomError."""
    names = {tool.function.name for tool in tools}
    if isinstance(choice, NamedChoice) and choice.function.name not in names:
        raise PydanticCustomError("unknown_tool", "names a function that is not in tools")
    if choice in ("auto", "required") and not names:
        raise PydanticCustomError("no_tools", "is only allowed with tools")


def forced(choice: ToolChoice | None, tools: list[Tool], *, many: bool) -> Structured | None:
    """Say what the engine has to hold the output to, so that a call is sure to come."""
    if isinstance(choice, NamedChoice):
        tool = next(t for t in tools if t.function.name == choice.function.name)
        return Structured(json_schema=tool.function.arguments_schema, param="tool_choice")
    if choice != "required":
        return None
    calls = [_call_schema(tool.function) for tool in tools]
    array: dict[str, Any] = {"type": "array", "minItems": 1, "items": {"anyOf": calls}}
    array |= {} if many else {"maxItems": 1}
    # References in the arguments' schemas count from the root.
    definitions = {k: v for call in calls for k, v in _definitions(call).items()}
    return Structured(
        json_schema=array | ({"$defs": definitions} if definitions else {}), param="tool_choice"
    )


def _definitions(call: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = call["properties"]["arguments"].get("$defs", {})
    return found


def _call_schema(function: Function) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"name": {"const": function.name}, "arguments": function.arguments_schema},
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }

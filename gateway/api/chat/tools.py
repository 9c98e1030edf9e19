"""Tools in a chat request: their declarations, the choice among them, earlier calls."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from engine import Structured
from gateway.api.body.bounded import Json, Name, Text
from gateway.api.body.surrogates import parse_json
from gateway.api.chat.response_format import FunctionName, JsonSchema
from gateway.api.schema import RequestModel, only_supported


class Function(RequestModel):
    """A function that the model may call; without `parameters` it takes none."""

    name: FunctionName
    description: Text | None = None
    parameters: JsonSchema | None = None
    strict: bool | None = None

    @property
    def arguments_schema(self) -> dict[str, Any]:
        """The schema of the arguments; an empty object where none is declared."""
        return self.parameters or {"type": "object", "properties": {}}


class Tool(RequestModel):
    """A declared tool; functions are the only kind."""

    type: Annotated[Literal["function", "custom"], only_supported("function")]
    function: Function
    custom: Json = None  # named so that what is refused is its type


class NamedFunction(RequestModel):
    """The function that has to be called."""

    name: Name


class NamedChoice(RequestModel):
    """One function by its name: the choice itself, or one of those that are allowed."""

    type: Annotated[Literal["function", "custom"], only_supported("function")]
    function: NamedFunction
    custom: Json = None


class AllowedTools(RequestModel):
    """Some of the declared tools, and whether one of them has to be called."""

    mode: Literal["auto", "required"]
    tools: Annotated[list[NamedChoice], Field(fail_fast=True, min_length=1, max_length=1024)]


class AllowedChoice(RequestModel):
    """A choice that leaves the declared tools as they are and allows some of them."""

    type: Literal["allowed_tools"]
    allowed_tools: AllowedTools


def kind_of_choice(choice: Any) -> str:
    """Return the tag of the form that a tool choice is meant to have."""
    if isinstance(choice, str):
        return "Mode"
    kind = choice.get("type") if isinstance(choice, dict) else getattr(choice, "type", None)
    return "Allowed" if kind == "allowed_tools" else "Named"


ToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag("Mode")]
    | Annotated[NamedChoice, Tag("Named")]
    | Annotated[AllowedChoice, Tag("Allowed")],
    Discriminator(kind_of_choice),
]
# A choice after the tools that it does not allow are left out.
ResolvedToolChoice = Literal["none", "auto", "required"] | NamedChoice
Tools = Annotated[list[Tool], Field(fail_fast=True, max_length=1024)]


class AssistantFunction(RequestModel):
    """What was called, with its arguments as a JSON string."""

    name: Name
    arguments: Text
    parsed_arguments: Json = None  # the SDK's own, in the answers of its parse() and stream()


class AssistantToolCall(RequestModel):
    """A call in an assistant's message that is sent back."""

    id: Name
    type: Literal["function"] = "function"
    function: AssistantFunction
    index: int | None = None

    def for_template(self) -> dict[str, Any]:
        """Return the call as chat templates read it, with its arguments as an object."""
        try:
            arguments = parse_json(self.function.arguments or "{}")
        except (ValueError, RecursionError):
            arguments = self.function.arguments  # what the model wrote once; it may read it again
        function = {"name": self.function.name, "arguments": arguments}
        return {"id": self.id, "type": "function", "function": function}


def check_choice(choice: ToolChoice | None, tools: list[Tool]) -> None:
    """Raise PydanticCustomError for a choice that the declared tools cannot meet."""
    names = {tool.function.name for tool in tools}
    if not _chosen(choice) <= names:
        raise PydanticCustomError("unknown_tool", "names a function that is not in tools")
    if choice == "required" and not names:
        raise PydanticCustomError("no_tools", "is only allowed with tools")


def _chosen(choice: ToolChoice | None) -> set[str]:
    if isinstance(choice, NamedChoice):
        return {choice.function.name}
    if isinstance(choice, AllowedChoice):
        return {tool.function.name for tool in choice.allowed_tools.tools}
    return set()


def resolve_tool_choice(
    choice: ToolChoice | None, tools: list[Tool]
) -> tuple[ResolvedToolChoice, list[Tool]]:
    """Return what the model has to do with tools, and which ones it is shown."""
    if not tools or choice == "none":
        return "none", []
    if isinstance(choice, AllowedChoice):
        names = _chosen(choice)
        return choice.allowed_tools.mode, [t for t in tools if t.function.name in names]
    return choice or "auto", tools


def forced_call_schema(
    choice: ResolvedToolChoice, tools: list[Tool], *, many: bool
) -> Structured | None:
    """Return the schema that makes the output a call; None where no call is forced."""
    if isinstance(choice, NamedChoice):
        tool = next(t for t in tools if t.function.name == choice.function.name)
        return Structured(json_schema=tool.function.arguments_schema, param="tool_choice")
    if choice != "required":
        return None
    calls = [_call_schema(tool.function) for tool in tools]
    array: dict[str, Any] = {"type": "array", "minItems": 1, "items": {"anyOf": calls}}
    array |= {} if many else {"maxItems": 1}
    for tool in tools:  # references in the arguments' schemas count from the root
        if definitions := tool.function.arguments_schema.get("$defs"):
            array["$defs"] = array.get("$defs", {}) | definitions
    return Structured(json_schema=array, param="tool_choice")


def _call_schema(function: Function) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"name": {"const": function.name}, "arguments": function.arguments_schema},
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }

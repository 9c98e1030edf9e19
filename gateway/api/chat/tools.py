"""Tools in a chat request: their declarations, the choice among them, earlier calls."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from engine import Structured
from gateway.api.body.bounded import Json, Name, Text
from gateway.api.body.surrogates import parse_json
from gateway.api.chat.custom_tools import PARAMETERS, CustomCall, CustomTool
from gateway.api.chat.response_format import FunctionName, JsonSchema
from gateway.api.schema import RequestModel, required_iff
from gateway.parsing.custom_input import INPUT


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


class _OfTwoTypes(RequestModel):
    """What belongs to a function or to a custom tool."""

    type: Literal["function", "custom"]

    @field_validator("function", "custom", check_fields=False)
    @classmethod
    def _of_its_type(cls, value: Any, info: ValidationInfo) -> Any:
        if kind := info.data.get("type"):
            required_iff(kind == info.field_name, value, name=info.field_name or "")
        return value


class Tool(_OfTwoTypes):
    """A declared tool."""

    function: Function | None = Field(default=None, validate_default=True)
    custom: CustomTool | None = Field(default=None, validate_default=True)

    @property
    def declared(self) -> Function:
        """The tool as a function: that of a custom tool has its input as the one argument."""
        if self.custom is None:
            assert self.function is not None
            return self.function
        return Function(
            name=self.custom.name,
            description=self.custom.function_description,
            parameters=PARAMETERS,
        )

    def for_template(self) -> dict[str, Any]:
        """Return the tool as chat templates read it."""
        return {"type": "function", "function": self.declared.model_dump(exclude_none=True)}


class NamedTool(RequestModel):
    """The tool that has to be called."""

    name: Name


class NamedChoice(_OfTwoTypes):
    """One tool by its name: the choice itself, or one of those that are allowed."""

    function: NamedTool | None = Field(default=None, validate_default=True)
    custom: NamedTool | None = Field(default=None, validate_default=True)

    @property
    def name(self) -> str:
        """The tool's name."""
        named = self.custom or self.function
        assert named is not None
        return named.name


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


class AssistantToolCall(_OfTwoTypes):
    """A call in an assistant's message that is sent back."""

    id: Name
    type: Literal["function", "custom"] = "function"
    function: AssistantFunction | None = Field(default=None, validate_default=True)
    custom: CustomCall | None = Field(default=None, validate_default=True)
    index: int | None = None

    def for_template(self) -> dict[str, Any]:
        """Return the call as chat templates read it, with its arguments as an object."""
        if self.custom is not None:
            function = {"name": self.custom.name, "arguments": {INPUT: self.custom.input}}
            return {"id": self.id, "type": "function", "function": function}
        assert self.function is not None
        try:
            arguments = parse_json(self.function.arguments or "{}")
        except (ValueError, RecursionError):
            arguments = self.function.arguments  # what the model wrote once; it may read it again
        function = {"name": self.function.name, "arguments": arguments}
        return {"id": self.id, "type": "function", "function": function}


def check_choice(choice: ToolChoice | None, tools: list[Tool]) -> None:
    """Raise PydanticCustomError for a choice that the declared tools cannot meet."""
    names = {tool.declared.name for tool in tools}
    if not _chosen(choice) <= names:
        raise PydanticCustomError("unknown_tool", "names a tool that is not in tools")
    if choice == "required" and not names:
        raise PydanticCustomError("no_tools", "is only allowed with tools")


def _chosen(choice: ToolChoice | None) -> set[str]:
    if isinstance(choice, NamedChoice):
        return {choice.name}
    if isinstance(choice, AllowedChoice):
        return {tool.name for tool in choice.allowed_tools.tools}
    return set()


def resolve_tool_choice(
    choice: ToolChoice | None, tools: list[Tool]
) -> tuple[ResolvedToolChoice, list[Tool]]:
    """Return what the model has to do with tools, and which ones it is shown."""
    if not tools or choice == "none":
        return "none", []
    if isinstance(choice, AllowedChoice):
        names = _chosen(choice)
        return choice.allowed_tools.mode, [t for t in tools if t.declared.name in names]
    return choice or "auto", tools


def forced_call_schema(
    choice: ResolvedToolChoice, tools: list[Tool], *, many: bool
) -> Structured | None:
    """Return the schema that makes the output a call; None where no call is forced."""
    if isinstance(choice, NamedChoice):
        tool = next(t for t in tools if t.declared.name == choice.name)
        return Structured(json_schema=tool.declared.arguments_schema, param="tool_choice")
    if choice != "required":
        return None
    calls = [_call_schema(tool.declared) for tool in tools]
    array: dict[str, Any] = {"type": "array", "minItems": 1, "items": {"anyOf": calls}}
    array |= {} if many else {"maxItems": 1}
    for tool in tools:  # references in the arguments' schemas count from the root
        if definitions := tool.declared.arguments_schema.get("$defs"):
            array["$defs"] = array.get("$defs", {}) | definitions
    return Structured(json_schema=array, param="tool_choice")


def _call_schema(function: Function) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"name": {"const": function.name}, "arguments": function.arguments_schema},
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }

"""Tools and formats as `/v1/responses` writes them: flatter than a chat's."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator

from gateway.api.body.bounded import Name, Text
from gateway.api.chat import tools as chat
from gateway.api.chat.response_format import (
    FunctionName,
    JsonSchema,
    JsonSchemaFormat,
    ResponseFormat,
)
from gateway.api.schema import RequestModel, only_supported, required_iff


class FunctionTool(chat.Function):
    """A function that the model may call."""

    type: Annotated[Name, only_supported("function")]

    def for_chat(self) -> chat.Tool:
        """Return the tool as a chat declares it."""
        function = chat.Function(**self.model_dump(exclude={"type"}))
        return chat.Tool(type="function", function=function)


class FlatName(RequestModel):
    """One function by its name."""

    type: Annotated[Name, only_supported("function")]
    name: Name

    def for_chat(self) -> chat.NamedChoice:
        """Return the function as a chat names it."""
        return chat.NamedChoice(type="function", function=chat.NamedFunction(name=self.name))


class FlatAllowed(RequestModel):
    """Some of the declared tools, and whether one of them has to be called."""

    type: Literal["allowed_tools"]
    mode: Literal["auto", "required"]
    tools: Annotated[list[FlatName], Field(fail_fast=True, min_length=1, max_length=128)]


FlatChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag("Mode")]
    | Annotated[FlatName, Tag("Named")]
    | Annotated[FlatAllowed, Tag("Allowed")],
    Discriminator(chat.kind_of_choice),
]


def chat_choice(choice: FlatChoice | None) -> chat.ToolChoice | None:
    """Return the choice as a chat writes it."""
    if isinstance(choice, FlatName):
        return choice.for_chat()
    if isinstance(choice, FlatAllowed):
        tools = [tool.for_chat() for tool in choice.tools]
        allowed = chat.AllowedTools(mode=choice.mode, tools=tools)
        return chat.AllowedChoice(type="allowed_tools", allowed_tools=allowed)
    return choice


class TextFormat(RequestModel):
    """The form of the answer."""

    type: Literal["text", "json_object", "json_schema"]
    name: FunctionName | None = Field(default=None, validate_default=True)
    schema_: JsonSchema | None = Field(default=None, alias="schema", validate_default=True)
    description: Text | None = None
    strict: bool | None = None

    @field_validator("name", "schema_")
    @classmethod
    def _required_iff_json_schema(cls, value: Any, info: ValidationInfo) -> Any:
        kind = info.data.get("type")
        if kind is not None:
            required_iff(kind == "json_schema", value, name="json_schema")
        return value

    def for_chat(self) -> ResponseFormat:
        """Return the format as a chat asks for it."""
        if self.type != "json_schema":
            return ResponseFormat(type=self.type)
        fields = self.model_dump(exclude={"type"}, by_alias=True)
        return ResponseFormat(type=self.type, json_schema=JsonSchemaFormat(**fields))


class TextSettings(RequestModel):
    """Settings of the text; `verbosity` is a hint without effect."""

    format: TextFormat | None = None
    verbosity: Literal["low", "medium", "high"] | None = None

"""Tools as `/v1/responses` declares them: flatter than a chat's, and some in namespaces."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import (
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    ValidationInfo,
    field_validator,
)

from gateway.api.body.bounded import Name, Text
from gateway.api.chat import tools as chat
from gateway.api.chat.custom_tools import CustomFormat, CustomTool, Grammar
from gateway.api.chat.response_format import FunctionName
from gateway.api.schema import RequestModel, required_iff

_FUNCTION_NAME: Final = TypeAdapter(FunctionName)


class FunctionTool(chat.Function):
    """A function that the model may call."""

    type: Literal["function"]

    def for_chat(self, name: str, description: str | None) -> chat.Tool:
        """Return the tool as a chat declares it, under this name."""
        function = chat.Function(
            name=name, description=description, parameters=self.parameters, strict=self.strict
        )
        return chat.Tool(type="function", function=function)


class FlatFormat(RequestModel):
    """The form of a custom tool's input: any text, or one of a grammar."""

    type: Literal["text", "grammar"]
    syntax: Literal["lark", "regex"] | None = Field(default=None, validate_default=True)
    definition: Text | None = Field(default=None, validate_default=True)

    @field_validator("syntax", "definition")
    @classmethod
    def _required_iff_grammar(cls, value: Any, info: ValidationInfo) -> Any:
        return required_iff(info.data.get("type") == "grammar", value, name="grammar")

    def for_chat(self) -> CustomFormat:
        """Return the form as a chat declares it."""
        if self.syntax is None or self.definition is None:
            return CustomFormat(type="text")
        grammar = Grammar(syntax=self.syntax, definition=self.definition)
        return CustomFormat(type="grammar", grammar=grammar)


class FlatCustomTool(RequestModel):
    """A tool that takes one text."""

    type: Literal["custom"]
    name: FunctionName
    description: Text | None = None
    format: FlatFormat | None = None

    def for_chat(self, name: str, description: str | None) -> chat.Tool:
        """Return the tool as a chat declares it, under this name."""
        format_ = None if self.format is None else self.format.for_chat()
        custom = CustomTool(name=name, description=description, format=format_)
        return chat.Tool(type="custom", custom=custom)


class HostedTool(RequestModel):
    """A tool that OpenAI runs: an offer that nobody has to take, so it is left out."""

    model_config = ConfigDict(extra="ignore")

    type: Name


def _kind(tool: Any) -> str:
    kind = tool.get("type") if isinstance(tool, dict) else getattr(tool, "type", None)
    return str(kind).capitalize() if kind in ("function", "custom", "namespace") else "Hosted"


Served = Annotated[FunctionTool, Tag("Function")] | Annotated[FlatCustomTool, Tag("Custom")]


class NamespaceTool(RequestModel):
    """Tools under a common name, which the model sees before their own."""

    type: Literal["namespace"]
    name: FunctionName
    description: Text = ""
    tools: Annotated[
        list[Annotated[Served | Annotated[HostedTool, Tag("Hosted")], Discriminator(_kind)]],
        Field(fail_fast=True, max_length=1024),
    ]

    @field_validator("tools")
    @classmethod
    def _names_fit(cls, tools: Any, info: ValidationInfo) -> Any:
        for tool in tools if "name" in info.data else ():
            if not isinstance(tool, HostedTool):
                _FUNCTION_NAME.validate_python(flat_name(info.data["name"], tool.name))
        return tools


Tool = Annotated[
    Served | Annotated[NamespaceTool, Tag("Namespace")] | Annotated[HostedTool, Tag("Hosted")],
    Discriminator(_kind),
]
Tools = Annotated[list[Tool], Field(fail_fast=True, max_length=1024)]


@dataclass(frozen=True, slots=True)
class FlatTool:
    """A tool of a namespace, or of none, as a chat declares it; `name` is the tool's own."""

    namespace: str | None
    name: str
    tool: chat.Tool


def flat_name(namespace: str | None, name: str) -> str:
    """Return the name by which the model knows a tool."""
    return name if namespace is None else f"{namespace.rstrip('_')}__{name}"


def flat_tools(tools: Iterable[Tool]) -> Iterator[FlatTool]:
    """Yield the tools that are served; the first of a namespace has the namespace's description."""
    for tool in tools:
        if isinstance(tool, NamespaceTool):
            about = tool.description
            for inner in tool.tools:
                if not isinstance(inner, HostedTool):
                    yield _flat(tool.name, inner, about)
                    about = ""
        elif not isinstance(tool, HostedTool):
            yield _flat(None, tool, "")


def ignored_tools(tools: Iterable[Tool], path: str) -> Iterator[str]:
    """Yield the paths of the tools that are left out."""
    for index, tool in enumerate(tools):
        if isinstance(tool, NamespaceTool):
            yield from ignored_tools(tool.tools, f"{path}[{index}].tools")
        elif isinstance(tool, HostedTool):
            yield f"{path}[{index}]"


def served_tools(tools: Iterable[Tool]) -> Iterator[dict[str, Any]]:
    """Yield the tools as a response repeats them: without those that are left out."""
    for tool in tools:
        if isinstance(tool, HostedTool):
            continue
        shown = tool.model_dump(exclude_none=True)
        if isinstance(tool, NamespaceTool):
            shown["tools"] = list(served_tools(tool.tools))
        if isinstance(tool, FunctionTool):
            shown = {"description": None, "parameters": None, "strict": False} | shown
        yield shown


def _flat(namespace: str | None, tool: FunctionTool | FlatCustomTool, about: str) -> FlatTool:
    description = "\n\n".join(filter(None, (about, tool.description))) or None
    declared = tool.for_chat(flat_name(namespace, tool.name), description)
    return FlatTool(namespace=namespace, name=tool.name, tool=declared)

"""`tool_choice` as `/v1/responses` writes it: flatter than a chat's."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from gateway.api.body.bounded import Name
from gateway.api.chat import tools as chat
from gateway.api.responses.tools import flat_name
from gateway.api.schema import RequestModel


class FlatName(RequestModel):
    """One tool by its name, and by its namespace if it is in one."""

    type: Literal["function", "custom"]
    name: Name
    namespace: Name | None = None

    def for_chat(self) -> chat.NamedChoice:
        """Return the tool as a chat names it."""
        named = chat.NamedTool(name=flat_name(self.namespace, self.name))
        if self.type == "custom":
            return chat.NamedChoice(type="custom", custom=named)
        return chat.NamedChoice(type="function", function=named)


class HostedName(RequestModel):
    """A tool that OpenAI runs."""

    model_config = ConfigDict(extra="ignore")

    type: Name


NamedOrHosted = Annotated[
    Annotated[FlatName, Tag("Named")] | Annotated[HostedName, Tag("Hosted")],
    Discriminator(lambda choice: "Named" if _kind(choice) in ("function", "custom") else "Hosted"),
]


class FlatAllowed(RequestModel):
    """Some of the declared tools, and whether one of them has to be called."""

    type: Literal["allowed_tools"]
    mode: Literal["auto", "required"]
    tools: Annotated[list[NamedOrHosted], Field(fail_fast=True, min_length=1, max_length=1024)]

    @property
    def served(self) -> list[FlatName]:
        """The tools that are not hosted."""
        return [tool for tool in self.tools if isinstance(tool, FlatName)]

    def for_chat(self) -> chat.ToolChoice:
        """Return the choice as a chat writes it; raise PydanticCustomError."""
        if not self.served:
            return _refuse(self.tools[0].type) if self.mode == "required" else "none"
        tools = [tool.for_chat() for tool in self.served]
        allowed = chat.AllowedTools(mode=self.mode, tools=tools)
        return chat.AllowedChoice(type="allowed_tools", allowed_tools=allowed)


def _kind(choice: object) -> object:
    return choice.get("type") if isinstance(choice, dict) else getattr(choice, "type", None)


def _form(choice: object) -> str:
    if isinstance(choice, str):
        return "Mode"
    kind = _kind(choice)
    return {"allowed_tools": "Allowed", "function": "Named", "custom": "Named"}.get(
        str(kind), "Hosted"
    )


FlatChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag("Mode")]
    | Annotated[FlatName, Tag("Named")]
    | Annotated[HostedName, Tag("Hosted")]
    | Annotated[FlatAllowed, Tag("Allowed")],
    Discriminator(_form),
]


def chat_choice(choice: FlatChoice | None) -> chat.ToolChoice | None:
    """Return the choice as a chat writes it; raise PydanticCustomError for a hosted tool."""
    if isinstance(choice, HostedName):
        return _refuse(choice.type)
    return choice.for_chat() if isinstance(choice, FlatName | FlatAllowed) else choice


def ignored_in_choice(choice: FlatChoice | None) -> Iterator[str]:
    """Yield the paths of allowed tools that are hosted."""
    for index, tool in enumerate(choice.tools if isinstance(choice, FlatAllowed) else ()):
        if isinstance(tool, HostedName):
            yield f"tool_choice.tools[{index}]"


def _refuse(kind: str) -> chat.ToolChoice:
    raise PydanticCustomError(
        "unsupported_value",
        "demands {kind}, which this gateway does not run; choose a function",
        {"kind": kind},
    )

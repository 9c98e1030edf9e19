"""Custom tools: their input is one text, which the model writes as the argument of a function."""

from typing import Any, Final, Literal

from pydantic import Field, ValidationInfo, field_validator

from gateway.api.body.bounded import Name, Text
from gateway.api.chat.response_format import FunctionName
from gateway.api.schema import RequestModel, required_iff
from gateway.parsing.custom_input import INPUT

PARAMETERS: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {INPUT: {"type": "string"}},
    "required": [INPUT],
    "additionalProperties": False,
}


class Grammar(RequestModel):
    """What an input looks like; the model is told, and nothing enforces it."""

    syntax: Literal["lark", "regex"]
    definition: Text


class CustomFormat(RequestModel):
    """The form of an input: any text, or one of a grammar."""

    type: Literal["text", "grammar"]
    grammar: Grammar | None = Field(default=None, validate_default=True)

    @field_validator("grammar")
    @classmethod
    def _grammar_required(cls, value: Any, info: ValidationInfo) -> Any:
        return required_iff(info.data.get("type") == "grammar", value, name="grammar")


class CustomTool(RequestModel):
    """A tool that takes one text."""

    name: FunctionName
    description: Text | None = None
    format: CustomFormat | None = None

    @property
    def function_description(self) -> str:
        """The description, with the grammar of the input."""
        texts = [self.description] if self.description else []
        if grammar := self.format and self.format.grammar:
            texts.append(f"`{INPUT}` has this {grammar.syntax} grammar:\n{grammar.definition}")
        return "\n\n".join(texts)


class CustomCall(RequestModel):
    """A call of an earlier answer to a custom tool."""

    name: Name
    input: Text

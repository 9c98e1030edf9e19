"""`text`: the form of an answer as `/v1/responses` asks for it."""

from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from gateway.api.body.bounded import Text
from gateway.api.chat.response_format import (
    FunctionName,
    JsonSchema,
    JsonSchemaFormat,
    ResponseFormat,
)
from gateway.api.schema import RequestModel, required_iff


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

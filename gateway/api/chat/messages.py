"""`Message`: one message of a conversation, as clients send it and as chat templates read it."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from gateway.api.body.bounded import Json, Name, Text
from gateway.api.chat.tools import AssistantToolCall
from gateway.api.schema import RequestModel, Unsupported, only_supported, required_iff

PartType = Literal["text", "refusal", "image_url", "input_audio", "file"]


class TextPart(RequestModel):
    """What a piece of a message has in chats and in responses."""

    type: str  # first, so that the others know it
    text: Text | None = Field(default=None, validate_default=True)
    refusal: Text | None = Field(default=None, validate_default=True)
    prompt_cache_breakpoint: Json = None  # a hint

    @field_validator("text", "refusal")
    @classmethod
    def _fits_type(cls, value: str | None, info: ValidationInfo) -> str | None:
        if kind := info.data.get("type"):
            required = (kind == "refusal") == (info.field_name == "refusal")
            required_iff(required, value, name=info.field_name or "")
        return value


class ContentPart(TextPart):
    """A piece of a message; `text`, or the `refusal` of an earlier answer."""

    type: Annotated[PartType, only_supported("text", "refusal")]

    # Named so that what is refused is their type.
    image_url: Json = None
    input_audio: Json = None
    file: Json = None


def join_parts(content: str | Sequence[TextPart]) -> str:
    """Return a content as one text; what was refused is text as well."""
    if isinstance(content, str):
        return content
    return "".join(part.text or part.refusal or "" for part in content)


Content = Text | Annotated[list[ContentPart], Field(fail_fast=True, max_length=1024)]
Calls = Annotated[list[AssistantToolCall], Field(fail_fast=True, max_length=1024)]


class Message(RequestModel):
    """One message; an assistant's answer may be sent back as it came."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    name: Name | None = None
    tool_call_id: Name | None = None
    tool_calls: Calls | None = None
    refusal: Text | None = None
    content: Content | None = Field(default=None, validate_default=True)
    annotations: Annotated[list[Json], Field(max_length=128)] | None = None
    parsed: Json = None  # the SDK's own, in the answers of its parse() and stream()
    reasoning: Text | None = None
    reasoning_content: Text | None = None
    audio: Unsupported = None
    function_call: Unsupported = None

    @field_validator("content")
    @classmethod
    def _content_required(cls, value: Any, info: ValidationInfo) -> Any:
        if value is None and info.data.get("role") != "assistant":
            raise PydanticCustomError("missing", "content is required")
        return value

    @property
    def text(self) -> str | None:
        """The content as one text."""
        return self.refusal if self.content is None else join_parts(self.content)

    def for_template(self) -> dict[str, Any]:
        """Return what chat templates read: joined text, and `developer` as `system`."""
        role = "system" if self.role == "developer" else self.role
        calls = [call.for_template() for call in self.tool_calls or ()] or None
        reasoning = self.reasoning_content or self.reasoning
        extra = {
            "tool_calls": calls, "tool_call_id": self.tool_call_id, "reasoning_content": reasoning
        }  # fmt: skip
        message = {"role": role, "content": self.text}
        return message | {key: value for key, value in extra.items() if value is not None}


Messages = Annotated[list[Message], Field(fail_fast=True, min_length=1, max_length=4096)]

"""The schema of a chat request, and its translation into the engine's words."""

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from engine import Chat, GenerateRequest
from gateway.response_format import ResponseFormat
from gateway.sampling import SamplingFields
from gateway.wire import Metadata, Refused, WireModel


class TextPart(WireModel):
    """A piece of text in a message."""

    type: Literal["text"]
    text: str


class Message(WireModel):
    """One message; an assistant's answer may be sent back as it came."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    name: str | None = None
    tool_call_id: str | None = None
    tool_calls: list[dict[str, Any]] | None = None
    content: str | Annotated[list[TextPart], Field(min_length=1)] | None = Field(
        default=None, validate_default=True
    )
    refusal: str | None = None
    annotations: list[Any] | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    audio: Refused = None
    function_call: Refused = None

    @field_validator("content")
    @classmethod
    def _is_there(cls, value: Any, info: ValidationInfo) -> Any:
        calls = info.data.get("role") == "assistant" and info.data.get("tool_calls")
        if value is None and not calls:
            raise PydanticCustomError("missing", "content is required")
        return value

    def for_template(self) -> dict[str, Any]:
        """Give what chat templates read: joined text, and `developer` as `system`."""
        text = self.content
        if isinstance(text, list):
            text = "".join(part.text for part in text)
        message = {"role": "system" if self.role == "developer" else self.role, "content": text}
        extra = {"tool_calls": self.tool_calls, "tool_call_id": self.tool_call_id}
        return message | {key: value for key, value in extra.items() if value is not None}


class ChatCompletionRequest(SamplingFields):
    """What a client may send; every other name is refused."""

    model: str
    messages: Annotated[list[Message], Field(min_length=1, max_length=4096)]
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None

    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    response_format: ResponseFormat | None = None

    # Valid, checked, and without effect here.
    metadata: Metadata | None = None
    modalities: list[Literal["text"]] | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    safety_identifier: Annotated[str, Field(max_length=64)] | None = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority"] | None = None
    store: bool | None = None
    verbosity: Literal["low", "medium", "high"] | None = None

    audio: Refused = None
    function_call: Refused = None
    functions: Refused = None
    moderation: Refused = None
    parallel_tool_calls: Refused = None
    prediction: Refused = None
    reasoning_effort: Refused = None
    tool_choice: Refused = None
    tools: Refused = None
    web_search_options: Refused = None

    @field_validator("max_tokens")
    @classmethod
    def _agrees(cls, value: int | None, info: ValidationInfo) -> int | None:
        other = info.data.get("max_completion_tokens")
        if value is not None and other is not None and value != other:
            raise PydanticCustomError(
                "max_tokens_twice", "differs from max_completion_tokens; send one of them"
            )
        return value

    @field_validator("top_logprobs")
    @classmethod
    def _needs_logprobs(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and not info.data.get("logprobs"):
            raise PydanticCustomError("needs_logprobs", "is only allowed with logprobs: true")
        return value

    def to_engine(self, request_id: str) -> list[GenerateRequest]:
        """Translate into one engine request for each choice."""
        chat = Chat(messages=tuple(message.for_template() for message in self.messages))
        samplings = self.sampling(
            self.max_completion_tokens or self.max_tokens,
            logprobs=(self.top_logprobs or 0) if self.logprobs else None,
            structured=self.response_format.structured() if self.response_format else None,
        )
        return [
            GenerateRequest(request_id=f"{request_id}-{n}", prompt=chat, sampling=sampling)
            for n, sampling in enumerate(samplings)
        ]

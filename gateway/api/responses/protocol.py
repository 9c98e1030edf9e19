"""The schema of a response's request, and the chat that it asks for."""

from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from gateway.api.body.bounded import JsonObject, Name, Text
from gateway.api.chat.protocol import AcceptedFields, ChatCompletionRequest, Effort
from gateway.api.chat.tools import check_choice
from gateway.api.responses.conversation import conversation, ignored_items
from gateway.api.responses.items import (
    AdditionalTools,
    InputCall,
    InputCustomCall,
    InputResult,
    Item,
)
from gateway.api.responses.text_settings import TextSettings
from gateway.api.responses.tool_choice import FlatChoice, chat_choice, ignored_in_choice
from gateway.api.responses.tools import FlatTool, Tool, Tools, flat_tools, ignored_tools
from gateway.api.sampling import GenerationFields
from gateway.api.schema import RequestModel, Unsupported, only_supported, unsupported

LOGPROBS = "message.output_text.logprobs"
ENCRYPTED_REASONING = "reasoning.encrypted_content"


class Reasoning(RequestModel):
    """How much to reason; reasoning is always shown whole, never as a summary."""

    effort: Effort | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None
    generate_summary: Literal["auto", "concise", "detailed"] | None = None


class ResponseStreamOptions(RequestModel):
    """Options that only a stream has; nothing is added to obfuscate."""

    include_obfuscation: bool | None = None


class ResponsesRequest(AcceptedFields, GenerationFields):
    """What a client may send; what other names do is in `body.unknown_fields`.

    Nothing is stored.
    """

    input: Text | Annotated[list[Item], Field(fail_fast=True, min_length=1, max_length=4096)]
    instructions: Text | None = None
    max_output_tokens: Annotated[int, Field(ge=1)] | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    include: Annotated[list[Name], Field(fail_fast=True, max_length=64)] | None = None
    stream_options: ResponseStreamOptions | None = None
    text: TextSettings | None = None
    tools: Tools | None = None
    tool_choice: FlatChoice | None = None
    parallel_tool_calls: bool | None = None
    reasoning: Reasoning | None = None
    truncation: Literal["auto", "disabled"] | None = None

    # Without effect: of tools that OpenAI hosts, and Codex's name of `metadata`.
    max_tool_calls: Annotated[int, Field(ge=1)] | None = None
    client_metadata: JsonObject | None = None

    background: Annotated[bool, only_supported(False)] | None = None
    context_management: Unsupported = None
    conversation: Annotated[Any, unsupported("send the whole conversation in input")] = None
    moderation: Unsupported = None
    previous_response_id: Annotated[
        Any, unsupported("nothing is stored, so send the whole conversation in input")
    ] = None
    prompt: Unsupported = None

    # A chat's names.
    guided_json: Annotated[Any, unsupported("use text.format instead")] = None
    max_completion_tokens: Annotated[Any, unsupported("use max_output_tokens instead")] = None
    max_tokens: Annotated[Any, unsupported("use max_output_tokens instead")] = None
    messages: Annotated[Any, unsupported("use input instead")] = None
    n: Annotated[int, Field(ge=1, le=1)] | None = None
    response_format: Annotated[Any, unsupported("use text.format instead")] = None
    structured_outputs: Annotated[Any, unsupported("use text.format instead")] = None

    @field_validator("input")
    @classmethod
    def _results_follow_calls(cls, said: Any) -> Any:
        known: set[str] = set()
        for position, item in enumerate(said if isinstance(said, list) else ()):
            if isinstance(item, InputCall | InputCustomCall):
                known.add(item.call_id)
            if isinstance(item, InputResult) and item.call_id not in known:
                raise PydanticCustomError(
                    "call_id",
                    "the output at [{position}] needs the call_id of a call before it",
                    {"position": position},
                )
        return said

    @field_validator("tool_choice")
    @classmethod
    def _tool_choice_fits_tools(cls, choice: Any, info: ValidationInfo) -> Any:
        declared = _declared(info.data.get("tools"), info.data.get("input", ""))
        tools = [flat.tool for flat in flat_tools(declared)]
        # A mode without tools is how some clients say nothing at all.
        check_choice(None if choice == "auto" else chat_choice(choice), tools)
        return choice

    @property
    def shows_logprobs(self) -> bool:
        """Whether the answer has log-probabilities."""
        return bool(self.top_logprobs) or LOGPROBS in (self.include or ())

    @cached_property
    def flat_tools(self) -> dict[str, FlatTool]:
        """The tools that are served, by the names that the model knows."""
        declared = _declared(self.tools, self.input)
        return {flat.tool.declared.name: flat for flat in flat_tools(declared)}

    def ignored(self) -> list[str]:
        """Return the paths of what is without effect."""
        items = self.input if isinstance(self.input, list) else ()
        return [
            *ignored_tools(self.tools or (), "tools"),
            *ignored_items(items),
            *ignored_in_choice(self.tool_choice),
        ]

    def to_chat(self) -> ChatCompletionRequest:
        """Return the chat that this request asks for."""
        tools = [flat.tool for flat in self.flat_tools.values()]
        text = self.text.format if self.text else None
        return ChatCompletionRequest(
            **{name: getattr(self, name) for name in GenerationFields.model_fields},
            messages=conversation(self.instructions, self.input),
            max_completion_tokens=self.max_output_tokens,
            logprobs=self.shows_logprobs,
            top_logprobs=self.top_logprobs or 0 if self.shows_logprobs else None,
            response_format=text.for_chat() if text else None,
            tools=tools or None,
            tool_choice=chat_choice(self.tool_choice) if tools else None,
            parallel_tool_calls=self.parallel_tool_calls,
            reasoning_effort=self.reasoning.effort if self.reasoning else None,
        )


def _declared(tools: Tools | None, input_: str | list[Item]) -> Iterator[Tool]:
    """Yield the tools of a request, and those that its items add."""
    yield from tools or ()
    for item in input_ if isinstance(input_, list) else ():
        if isinstance(item, AdditionalTools):
            yield from item.tools

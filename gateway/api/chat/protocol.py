"""The schema of a chat request, and its translation for the engine."""

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from engine import GenerateRequest, Structured
from gateway.api.body.bounded import JsonObject, Name
from gateway.api.chat.messages import Message, Messages
from gateway.api.chat.prompt import chat_prompt
from gateway.api.chat.response_format import ResponseFormat
from gateway.api.chat.tools import (
    ResolvedToolChoice,
    Tool,
    ToolChoice,
    Tools,
    check_choice,
    forced_call_schema,
    resolve_tool_choice,
)
from gateway.api.sampling import SamplingFields
from gateway.api.schema import Metadata, RequestModel, Unsupported, unsupported
from gateway.config import ModelConfig

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra"]


class AcceptedFields(RequestModel):
    """Fields of a chat or a response that are valid, checked, and without effect here."""

    metadata: Metadata | None = None
    prompt_cache_key: Name | None = None
    prompt_cache_options: JsonObject | None = None
    prompt_cache_retention: Name | None = None
    safety_identifier: Annotated[str, Field(max_length=64)] | None = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast"] | None = None
    store: bool | None = None


class ChatCompletionRequest(AcceptedFields, SamplingFields):
    """What a client may send; what other names do is in `body.unknown_fields`."""

    messages: Messages
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None

    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    response_format: ResponseFormat | None = None
    tools: Tools | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None

    reasoning_effort: Effort | None = None
    include_reasoning: bool | None = None
    enable_thinking: bool | None = None
    chat_template_kwargs: JsonObject | None = None
    add_generation_prompt: bool | None = None
    continue_final_message: bool | None = None

    # Without effect too.
    modalities: Annotated[list[Literal["text"]], Field(max_length=4)] | None = None
    prediction: JsonObject | None = None
    verbosity: Literal["low", "medium", "high"] | None = None

    audio: Unsupported = None
    function_call: Annotated[Any, unsupported("use tool_choice instead")] = None
    functions: Annotated[Any, unsupported("use tools instead")] = None
    moderation: Unsupported = None
    web_search_options: Unsupported = None

    @field_validator("max_tokens")
    @classmethod
    def _max_tokens_agree(cls, value: int | None, info: ValidationInfo) -> int | None:
        other = info.data.get("max_completion_tokens")
        if value is not None and other is not None and value != other:
            raise PydanticCustomError(
                "max_tokens_twice", "differs from max_completion_tokens; send one of them"
            )
        return value

    @field_validator("messages")
    @classmethod
    def _results_follow_calls(cls, messages: list[Message]) -> list[Message]:
        known: set[str] = set()
        for position, message in enumerate(messages):
            known |= {call.id for call in message.tool_calls or ()}
            if message.role == "tool" and message.tool_call_id not in known:
                raise PydanticCustomError(
                    "tool_call_id",
                    "the tool message at [{position}] needs the tool_call_id of a call before it",
                    {"position": position},
                )
        return messages

    @field_validator("continue_final_message")
    @classmethod
    def _ends_with_an_answer(cls, value: bool | None, info: ValidationInfo) -> bool | None:
        if value and info.data.get("add_generation_prompt"):
            raise PydanticCustomError("continue", "is not allowed with add_generation_prompt")
        messages = info.data.get("messages")
        if value and messages and messages[-1].role != "assistant":
            raise PydanticCustomError("continue", "needs an assistant's message at the end")
        return value

    @field_validator("tool_choice")
    @classmethod
    def _tool_choice_fits_tools(cls, choice: Any, info: ValidationInfo) -> Any:
        check_choice(choice, info.data.get("tools") or [])
        return choice

    @field_validator("top_logprobs")
    @classmethod
    def _needs_logprobs(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and not info.data.get("logprobs"):
            raise PydanticCustomError("needs_logprobs", "is only allowed with logprobs: true")
        return value

    @property
    def resolved_tool_choice(self) -> tuple[ResolvedToolChoice, list[Tool]]:
        """What the model has to do with tools, and which tools it is shown."""
        return resolve_tool_choice(self.tool_choice, self.tools or [])

    @property
    def parameter_names(self) -> dict[str, str]:
        """The names that this request uses for parameters that the engine knows by others."""
        names = {}
        if self.max_completion_tokens is not None:
            names["max_tokens"] = "max_completion_tokens"
        if self.enable_thinking is not None:
            names["chat_template_kwargs.enable_thinking"] = "enable_thinking"
        return names

    def to_engine(self, request_id: str, model: ModelConfig) -> list[GenerateRequest]:
        """Return one engine request for each choice; raise UnsupportedParameter."""
        _, tools = self.resolved_tool_choice
        chat = chat_prompt(
            self.messages,
            tools,
            model,
            template_arguments=self._template_arguments(),
            reasoning_effort=self.reasoning_effort,
            add_generation_prompt=self.add_generation_prompt is not False,
            continue_final_message=bool(self.continue_final_message),
        )
        samplings = self.sampling(
            self.max_completion_tokens or self.max_tokens,
            logprobs=(self.top_logprobs or 0) if self.logprobs else None,
            structured=self._structured(),
        )
        return [
            GenerateRequest(
                request_id=f"{request_id}-{n}",
                prompt=chat,
                sampling=sampling,
                report_prompt=bool(self.return_token_ids) or self.continuous_usage,
            )
            for n, sampling in enumerate(samplings)
        ]

    def _template_arguments(self) -> dict[str, Any]:
        thinking = {} if self.enable_thinking is None else {"enable_thinking": self.enable_thinking}
        return thinking | (self.chat_template_kwargs or {})

    def _structured(self) -> Structured | None:
        choice, tools = self.resolved_tool_choice
        call = forced_call_schema(choice, tools, many=self.parallel_tool_calls is not False)
        if call is not None:
            return call
        format_ = self.response_format and self.response_format.structured()
        return format_ or self.structured_by_vllm

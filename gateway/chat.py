"""`POST /v1/chat/completions`: the schema, its translation, the answers, the route."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from starlette.responses import JSONResponse, Response

from engine import Chat, GenerateRequest, SamplingParams, TokenDelta
from gateway.body import read_body
from gateway.sse import EventStream, frame, frames, started
from gateway.state import gateway_of
from gateway.wire import (
    Head,
    Metadata,
    Refused,
    StreamOptions,
    Strings,
    WireModel,
    request_id,
    unless_disconnected,
    usage_body,
)

routes = APIRouter()


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
        if value is None and not (info.data.get("role") == "assistant" and info.data["tool_calls"]):
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


class ChatCompletionRequest(WireModel):
    """What a client may send; every other name is refused."""

    model: str
    messages: Annotated[list[Message], Field(min_length=1, max_length=4096)]

    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    stop: Strings | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    logit_bias: dict[str, Annotated[float, Field(ge=-100, le=100)]] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None

    # vLLM's extensions, as benchmark tools send them.
    top_k: Annotated[int, Field(ge=-1)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    repetition_penalty: Annotated[float, Field(gt=0, le=10)] | None = None
    min_tokens: Annotated[int, Field(ge=0)] | None = None
    ignore_eos: bool | None = None
    stop_token_ids: Annotated[list[Annotated[int, Field(ge=0)]], Field(max_length=64)] | None = None

    # Valid, checked, and without effect here.
    n: Literal[1] | None = None
    logprobs: Literal[False] | None = None
    user: str | None = None
    safety_identifier: Annotated[str, Field(max_length=64)] | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    metadata: Metadata | None = None
    store: bool | None = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority"] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    modalities: list[Literal["text"]] | None = None

    audio: Refused = None
    function_call: Refused = None
    functions: Refused = None
    moderation: Refused = None
    parallel_tool_calls: Refused = None
    prediction: Refused = None
    reasoning_effort: Refused = None
    response_format: Refused = None
    tool_choice: Refused = None
    tools: Refused = None
    top_logprobs: Refused = None
    web_search_options: Refused = None

    @field_validator("logit_bias")
    @classmethod
    def _keys_are_token_ids(cls, bias: dict[str, float] | None) -> dict[str, float] | None:
        if any(not (key.isascii() and key.isdigit()) for key in bias or {}):
            raise PydanticCustomError("logit_bias_key", "keys must be token ids, like '50256'")
        return bias

    @field_validator("max_tokens")
    @classmethod
    def _agrees(cls, value: int | None, info: ValidationInfo) -> int | None:
        other = info.data.get("max_completion_tokens")
        if value is not None and other is not None and value != other:
            raise PydanticCustomError(
                "max_tokens_twice", "differs from max_completion_tokens; send one of them"
            )
        return value

    @field_validator("stream_options")
    @classmethod
    def _only_with_stream(
        cls, value: StreamOptions | None, info: ValidationInfo
    ) -> StreamOptions | None:
        if value is not None and not info.data.get("stream"):
            raise PydanticCustomError("needs_stream", "is only allowed with stream: true")
        return value

    @property
    def include_usage(self) -> bool:
        """Whether the stream ends with a usage chunk."""
        return bool(self.stream_options and self.stream_options.include_usage)


def to_engine(body: ChatCompletionRequest, engine_id: str) -> GenerateRequest:
    """Translate a chat request into the engine's words."""
    messages = tuple(message.for_template() for message in body.messages)
    return GenerateRequest(
        request_id=engine_id, prompt=Chat(messages=messages), sampling=_sampling(body)
    )


def _sampling(body: ChatCompletionRequest) -> SamplingParams:
    fields = body.model_dump(include=_SAMPLING_FIELDS, exclude_none=True)
    if body.top_p == 0:  # vLLM wants more than nothing; OpenAI takes it as greedy
        fields |= {"top_p": 1.0, "temperature": 0.0}
    if fields.get("top_k") == -1:
        fields["top_k"] = 0
    if body.logit_bias:
        fields["logit_bias"] = {int(token): bias for token, bias in body.logit_bias.items()}
    stops = (body.stop,) if isinstance(body.stop, str) else tuple(body.stop or ())
    return SamplingParams(
        **fields,
        max_tokens=body.max_completion_tokens or body.max_tokens,
        stop=stops,
        stop_token_ids=tuple(body.stop_token_ids or ()),
    )


_SAMPLING_FIELDS = {
    "temperature", "top_p", "frequency_penalty", "presence_penalty", "seed",
    "top_k", "min_p", "repetition_penalty", "min_tokens", "ignore_eos",
}  # fmt: skip


class ChatFramer:
    """Writes the deltas of one chat completion as frames.

    A text delta costs one JSON string between two ready-made pieces: no model, no dict.
    """

    def __init__(self, head: Head, include_usage: bool) -> None:
        self._base = head.fields("chat.completion.chunk")
        self._include_usage = include_usage
        self._begun = False
        before, after = frame(self._chunk({"content": "\0"}, None)).split(b'"\\u0000"')
        self._before, self._after = before, after

    def feed(self, delta: TokenDelta) -> bytes:
        """Write the frames of one delta; empty text makes no chunk of its own."""
        data = b"" if self._begun else self._role()
        if delta.text:
            data += self._before + json.dumps(delta.text, ensure_ascii=False).encode() + self._after
        return data if delta.finish_reason is None else data + self._last(delta)

    def _role(self) -> bytes:
        self._begun = True
        return frame(self._chunk({"role": "assistant", "content": "", "refusal": None}, None))

    def _last(self, delta: TokenDelta) -> bytes:
        last = frame(self._chunk({}, delta.finish_reason))
        if not self._include_usage:
            return last
        return last + frame(self._base | {"choices": [], "usage": usage_body(delta.usage)})

    def _chunk(self, delta: dict[str, Any], finish_reason: str | None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        usage = {"usage": None} if self._include_usage else {}
        return self._base | {"choices": [choice]} | usage


async def completion(deltas: AsyncGenerator[TokenDelta, None], head: Head) -> dict[str, Any]:
    """Collect a whole stream into one answer."""
    whole = TokenDelta()
    async with aclosing(deltas):
        async for delta in deltas:
            whole += delta
    message = {"role": "assistant", "content": whole.text, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None}
    choice["finish_reason"] = whole.finish_reason
    return head.fields("chat.completion") | {"choices": [choice], "usage": usage_body(whole.usage)}


@routes.post("/v1/chat/completions")
async def create_chat_completion(request: Request) -> Response:
    """Answer a conversation, whole or token by token."""
    gateway = gateway_of(request)
    limits = gateway.config.limits
    body = await read_body(request, ChatCompletionRequest, limits.max_body_bytes)
    head = Head.new("chatcmpl", body.model)
    deltas = gateway.models.engine(body.model).generate(to_engine(body, request_id(request, head)))
    if not body.stream:
        return JSONResponse(await unless_disconnected(request, completion(deltas, head)))
    stream = await unless_disconnected(request, started(deltas, limits.first_delta_seconds))
    framer = ChatFramer(head, body.include_usage)
    return EventStream(
        frames(stream, framer), stream, limits.ping_seconds, limits.send_timeout_seconds
    )

"""The bodies of chat completions, whole and as chunks, as the API reference shows them."""

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from gateway.api.logprobs import ChatLogprobs
from gateway.api.schema import HeadBody
from gateway.api.streaming.usage import UsageBody

FinishReason = Literal["stop", "length", "tool_calls"]


class FunctionBody(TypedDict):
    """A called function; in a chunk after the first one there is only a piece of the arguments."""

    name: NotRequired[str | None]
    arguments: str


class CustomBody(TypedDict):
    """A called custom tool; in a chunk after the first one there is only a piece of the input."""

    name: NotRequired[str | None]
    input: str


class ToolCallBody(TypedDict):
    """A tool call; `index` is there in chunks, `id` and `type` in a call's first chunk."""

    index: NotRequired[int]
    id: NotRequired[str]
    type: NotRequired[Literal["function", "custom"]]
    function: NotRequired[FunctionBody]
    custom: NotRequired[CustomBody]


class MessageBody(TypedDict):
    """The assistant's message; reasoning has two names, since clients read either."""

    role: Literal["assistant"]
    content: str | None
    refusal: None
    reasoning_content: NotRequired[str]
    reasoning: NotRequired[str]
    tool_calls: NotRequired[list[ToolCallBody]]


class DeltaBody(TypedDict, total=False):
    """What a chunk adds to the message."""

    role: Literal["assistant"]
    content: str
    refusal: None
    reasoning_content: str
    reasoning: str
    tool_calls: list[ToolCallBody]


class ChatChoiceBody(TypedDict):
    """One choice of a whole answer."""

    index: int
    message: MessageBody
    logprobs: ChatLogprobs | None
    finish_reason: FinishReason
    token_ids: NotRequired[list[int]]


class ChunkChoiceBody(TypedDict):
    """One choice of a chunk."""

    index: int
    delta: DeltaBody
    logprobs: ChatLogprobs | None
    finish_reason: FinishReason | None
    token_ids: NotRequired[list[int]]


class ChatCompletion(HeadBody):
    """A whole chat completion."""

    choices: list[ChatChoiceBody]
    usage: UsageBody
    prompt_token_ids: NotRequired[list[int]]


class ChatCompletionChunk(HeadBody):
    """One frame of a streamed chat completion; `usage` is there if it was asked for."""

    choices: list[ChunkChoiceBody]
    usage: NotRequired[UsageBody | None]
    prompt_token_ids: NotRequired[list[int]]

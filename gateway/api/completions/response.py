"""The bodies of text completions, whole and as chunks, as the API reference shows them."""

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from gateway.api.logprobs import CompletionLogprobs
from gateway.api.schema import HeadBody
from gateway.api.streaming.usage import UsageBody


class CompletionChoiceBody(TypedDict):
    """One choice of an answer or of a chunk, where `finish_reason` may be null."""

    index: int
    text: str
    logprobs: CompletionLogprobs | None
    finish_reason: Literal["stop", "length"] | None
    token_ids: NotRequired[list[int]]
    prompt_token_ids: NotRequired[list[int]]


class Completion(HeadBody):
    """A whole text completion, or one frame of a streamed one."""

    choices: list[CompletionChoiceBody]
    usage: NotRequired[UsageBody | None]

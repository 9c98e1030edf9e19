"""`ChatRenderer`: deltas as `chat.completion.chunk`s, or as one `chat.completion`."""

from collections.abc import Iterable

from engine import TokenDelta
from gateway.api.chat.message_parser import MakeMessageParser
from gateway.api.chat.response import (
    ChatChoiceBody,
    ChunkChoiceBody,
    CustomBody,
    DeltaBody,
    FunctionBody,
    MessageBody,
    ToolCallBody,
)
from gateway.api.logprobs import chat_logprobs
from gateway.api.schema import ResponseHead
from gateway.api.streaming.renderer import Choice, ChoicesRenderer, Logprobs
from gateway.parsing.deltas import (
    ContentDelta,
    MessageDelta,
    ReasoningDelta,
    ToolCallDelta,
    join_deltas,
)
from gateway.parsing.message import MessageParser


class ChatChoice(Choice):
    """One choice, the parser of its text, and for a whole answer its deltas.

    As with OpenAI, a call that the request named (`forced_call`) ends with `stop`.
    """

    def __init__(
        self,
        index: int,
        parser: MessageParser | None,
        *,
        forced_call: bool,
        include_reasoning: bool,
    ) -> None:
        super().__init__(index)
        self._parser = parser
        self._forced_call = forced_call
        self._include_reasoning = include_reasoning
        self._called = False
        self._deltas: list[MessageDelta] = []

    def chunk(
        self, text: str | None, finish_reason: str | None, logprobs: Logprobs = ()
    ) -> ChunkChoiceBody:
        """Return the choice as a chunk shows it."""
        return self._chunk({} if text is None else {"content": text}, logprobs, finish_reason)

    def first_chunks(self) -> list[ChunkChoiceBody]:
        """Return the chunk with the role."""
        return [self._chunk({"role": "assistant", "content": "", "refusal": None})]

    def chunks(self, delta: TokenDelta) -> list[ChunkChoiceBody] | None:
        """Return the chunks of what a delta's text turns out to be; all logprobs with the first."""
        if self._parser is None:
            return super().chunks(delta)
        bodies = [delta_body(part) for part in self._parse(delta)]
        if delta.logprobs:
            first, *rest = bodies or [{}]
            return [self._chunk(first, delta.logprobs), *map(self._chunk, rest)]
        return list(map(self._chunk, bodies))

    def collect(self, delta: TokenDelta) -> None:
        """Add a delta's text to the whole choice."""
        self._deltas += self._parse(delta)

    def end(self, delta: TokenDelta) -> None:
        """Set why the choice ended, and how much of it is reasoning."""
        calls = self._called and not self._forced_call and delta.finish_reason == "stop"
        self.finish_reason = "tool_calls" if calls else delta.finish_reason
        self.reasoning_tokens = None if self._parser is None else self._parser.reasoning_tokens

    def whole(self) -> ChatChoiceBody:
        """Return the choice as a whole answer shows it."""
        return {
            "index": self.index,
            "message": message_body(self._deltas),
            "logprobs": chat_logprobs(self.logprobs),
            "finish_reason": self.finish_reason,  # type: ignore[typeddict-item]
        }

    def _parse(self, delta: TokenDelta) -> list[MessageDelta]:
        if self._parser is None:
            return [ContentDelta(delta.text)]
        parts = self._parser.feed(delta)
        if not self._include_reasoning:
            parts = [part for part in parts if not isinstance(part, ReasoningDelta)]
        self._called = self._called or any(isinstance(part, ToolCallDelta) for part in parts)
        return parts

    def _chunk(
        self, delta: DeltaBody, logprobs: Logprobs = (), finish_reason: str | None = None
    ) -> ChunkChoiceBody:
        return {
            "index": self.index,
            "delta": delta,
            "logprobs": chat_logprobs(logprobs),
            "finish_reason": finish_reason,  # type: ignore[typeddict-item]
        }


class ChatRenderer(ChoicesRenderer):
    """Writes the answer of a chat; `forced_call` is for a request that named a function."""

    chunk_object = "chat.completion.chunk"
    whole_object = "chat.completion"
    prompt_ids_in_choices = False

    def __init__(
        self,
        head: ResponseHead,
        make_parser: MakeMessageParser | None,
        *,
        choices: int = 1,
        include_usage: bool = False,
        continuous_usage: bool = False,
        return_token_ids: bool = False,
        forced_call: bool = False,
        include_reasoning: bool = True,
    ) -> None:
        super().__init__(
            head,
            choices=choices,
            streams=choices,
            include_usage=include_usage,
            continuous_usage=continuous_usage,
            return_token_ids=return_token_ids,
        )
        self._make_parser = make_parser
        self._forced_call = forced_call
        self._include_reasoning = include_reasoning

    def new_choice(self, index: int) -> ChatChoice:
        """Begin a choice."""
        parser = None if self._make_parser is None else self._make_parser()
        return ChatChoice(
            index, parser, forced_call=self._forced_call, include_reasoning=self._include_reasoning
        )


def delta_body(part: MessageDelta) -> DeltaBody:
    """Return a part of a message as the `delta` of a chunk."""
    if isinstance(part, ContentDelta):
        return {"content": part.text}
    if isinstance(part, ReasoningDelta):
        return {"reasoning_content": part.text, "reasoning": part.text}
    return {"tool_calls": [{"index": part.index, **_call_body(part)}]}


def message_body(parts: Iterable[MessageDelta]) -> MessageBody:
    """Return all parts of one choice as its `message`."""
    whole = join_deltas(parts)
    content = "".join(part.text for part in whole if isinstance(part, ContentDelta))
    reasoning = "".join(part.text for part in whole if isinstance(part, ReasoningDelta))
    calls = [_call_body(part) for part in whole if isinstance(part, ToolCallDelta)]
    message: MessageBody = {"role": "assistant", "content": content, "refusal": None}
    if reasoning:
        message |= {"reasoning_content": reasoning, "reasoning": reasoning}
    if calls:
        message |= {"content": content or None, "tool_calls": calls}
    return message


def _call_body(part: ToolCallDelta) -> ToolCallBody:
    if part.custom:
        return _custom_call_body(part)
    if part.id is None:
        return {"function": {"arguments": part.arguments}}
    function: FunctionBody = {"name": part.name, "arguments": part.arguments}
    return {"id": part.id, "type": "function", "function": function}


def _custom_call_body(part: ToolCallDelta) -> ToolCallBody:
    if part.id is None:
        return {"custom": {"input": part.arguments}}
    custom: CustomBody = {"name": part.name, "input": part.arguments}
    return {"id": part.id, "type": "custom", "custom": custom}

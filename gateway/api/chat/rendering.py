"""`ChatRenderer`: deltas as `chat.completion.chunk`s, or as one `chat.completion`."""

from collections.abc import Iterable, Sequence

from engine import TokenDelta, TokenLogprob
from gateway.api.chat.message_parser import MakeMessageParser
from gateway.api.chat.response import (
    ChatChoiceBody,
    ChunkChoiceBody,
    DeltaBody,
    MessageBody,
    ToolCallBody,
)
from gateway.api.logprobs import chat_logprobs
from gateway.api.schema import ResponseHead
from gateway.api.streaming.renderer import Choice, ChoicesRenderer
from gateway.parsing.deltas import (
    ContentDelta,
    MessageDelta,
    ReasoningDelta,
    ToolCallDelta,
    join_deltas,
)
from gateway.parsing.message import MessageParser


class ChatChoice(Choice):
    """One choice, the parser of its text, and for a whole answer its deltas."""

    def __init__(self, index: int, parser: MessageParser | None) -> None:
        super().__init__(index)
        self.parser = parser
        self.called = False
        self.deltas: list[MessageDelta] = []

    @property
    def reasoning_tokens(self) -> int | None:
        """How many of its tokens are reasoning; None for a model without."""
        return None if self.parser is None else self.parser.reasoning_tokens

    def parse(self, delta: TokenDelta) -> list[MessageDelta]:
        """Return what a delta adds to the message."""
        if self.parser is None:
            return [ContentDelta(delta.text)]
        parts = self.parser.feed(delta)
        self.called = self.called or any(isinstance(part, ToolCallDelta) for part in parts)
        return parts


class ChatRenderer(ChoicesRenderer[ChatChoice]):
    """Writes the answer of a chat; `forced_call` is for a request that named a function."""

    chunk_object = "chat.completion.chunk"
    whole_object = "chat.completion"

    def __init__(
        self,
        head: ResponseHead,
        make_parser: MakeMessageParser | None,
        *,
        choices: int = 1,
        include_usage: bool = False,
        forced_call: bool = False,
    ) -> None:
        super().__init__(head, choices=choices, streams=choices, include_usage=include_usage)
        self._make_parser = make_parser
        self._forced_call = forced_call

    def new_choice(self, index: int) -> ChatChoice:
        """Begin a choice."""
        return ChatChoice(index, None if self._make_parser is None else self._make_parser())

    def write_role(self, choice: ChatChoice) -> bytes:
        """Return the frame with the role."""
        role: DeltaBody = {"role": "assistant", "content": "", "refusal": None}
        return self.frame(_chunk_choice(choice.index, role))

    def write_text(self, choice: ChatChoice, delta: TokenDelta) -> bytes:
        """Return the frames of a delta: of its text, or of what its text turns out to be."""
        if choice.parser is None:
            return super().write_text(choice, delta)
        bodies = [delta_body(part) for part in choice.parse(delta)]
        if not bodies and delta.logprobs:
            bodies = [{}]
        logprobs = [delta.logprobs, *((),) * len(bodies)]  # all with the first
        return b"".join(
            self.frame(_chunk_choice(choice.index, body, None, shown))
            for body, shown in zip(bodies, logprobs, strict=False)
        )

    def finish_reason(self, choice: ChatChoice, delta: TokenDelta) -> str | None:
        """Return why a choice ended; as with OpenAI, a call that was named ends with `stop`."""
        calls = choice.called and not self._forced_call and delta.finish_reason == "stop"
        return "tool_calls" if calls else delta.finish_reason

    def chunk_choice(
        self,
        choice: ChatChoice,
        text: str | None,
        finish_reason: str | None,
        logprobs: Sequence[TokenLogprob],
    ) -> ChunkChoiceBody:
        """Return a choice as a chunk shows it."""
        delta: DeltaBody = {} if text is None else {"content": text}
        return _chunk_choice(choice.index, delta, finish_reason, logprobs)

    def collect_text(self, choice: ChatChoice, delta: TokenDelta) -> None:
        """Add a delta's text to a whole choice."""
        choice.deltas += choice.parse(delta)

    def whole_choice(self, choice: ChatChoice) -> ChatChoiceBody:
        """Return a choice as a whole answer shows it."""
        return {
            "index": choice.index,
            "message": message_body(choice.deltas),
            "logprobs": chat_logprobs(choice.logprobs),
            "finish_reason": choice.finish_reason,  # type: ignore[typeddict-item]
        }


def _chunk_choice(
    index: int,
    delta: DeltaBody,
    finish_reason: str | None = None,
    logprobs: Sequence[TokenLogprob] = (),
) -> ChunkChoiceBody:
    return {
        "index": index,
        "delta": delta,
        "logprobs": chat_logprobs(logprobs),
        "finish_reason": finish_reason,  # type: ignore[typeddict-item]
    }


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
    if part.id is None:
        return {"function": {"arguments": part.arguments}}
    function = {"name": part.name, "arguments": part.arguments}
    return {"id": part.id, "type": "function", "function": function}  # type: ignore[typeddict-item]

"""`POST /v1/chat/completions`: the answers and the route."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from engine import TokenDelta, TokenLogprob
from gateway.api.body import read_body
from gateway.api.caller_requests import for_caller
from gateway.api.chat.parsers import MakeParser, delta_body, message_body, parser_for
from gateway.api.chat.protocol import ChatCompletionRequest
from gateway.api.chat.tools import NamedChoice
from gateway.api.logprobs import chat_logprobs
from gateway.api.models import served
from gateway.api.schema import ResponseHead, request_id
from gateway.api.state import gateway_of
from gateway.api.streaming.choices import UsageTotals
from gateway.api.streaming.chunks import Framer
from gateway.api.streaming.respond import answer, with_choices
from gateway.parsing.deltas import ContentDelta, MessageDelta, Parser, ToolCallDelta
from gateway.parsing.reasoning import count_reasoning_tokens

routes = APIRouter()


class ChatFormat:
    """How one chat request is answered: with which parser, and what a forced call ends with."""

    object_ = "chat.completion"

    def __init__(self, make_parser: MakeParser | None, *, named: bool) -> None:
        self.make_parser = make_parser
        self._named = named

    def writer(
        self, head: ResponseHead, count: int, tally: UsageTotals, *, include_usage: bool
    ) -> Framer:
        """Make the writer of a stream."""
        return ChatFramer(self, head, count, tally, include_usage=include_usage)

    def whole(
        self, head: ResponseHead, completions: Sequence[TokenDelta], tally: UsageTotals
    ) -> dict[str, Any]:
        """Give the whole answer."""
        return with_choices(head, self, completions, tally)

    def choice(self, index: int, whole: TokenDelta) -> dict[str, Any]:
        """Give one choice of a whole answer."""
        parts = self.parts(whole)
        return {
            "index": index,
            "message": message_body(parts),
            "logprobs": chat_logprobs(whole.logprobs),
            "finish_reason": self.reason(whole, called=_called(parts)),
        }

    def parts(self, whole: TokenDelta) -> list[MessageDelta]:
        """Parse a whole text."""
        if self.make_parser is None:
            return [ContentDelta(whole.text)]
        parser = self.make_parser()
        return parser.feed(whole.text) + parser.finish()

    def reason(self, delta: TokenDelta, *, called: bool) -> str | None:
        """Say why a choice ended; as with OpenAI, a call that was named ends with `stop`."""
        calls = called and not self._named and delta.finish_reason == "stop"
        return "tool_calls" if calls else delta.finish_reason


class ChatFramer(Framer):
    """Writes `chat.completion.chunk`s."""

    object_ = "chat.completion.chunk"

    def __init__(
        self,
        form: ChatFormat,
        head: ResponseHead,
        count: int,
        tally: UsageTotals,
        *,
        include_usage: bool,
    ) -> None:
        super().__init__(head, count, tally, include_usage=include_usage)
        self._form = form
        self._parsers: dict[int, Parser] = {}
        self._called: set[int] = set()

    def opening(self, index: int) -> list[dict[str, Any]]:
        """Begin a choice with its role."""
        role = {"role": "assistant", "content": "", "refusal": None}
        return [_choice(index, role)]

    def middle(self, index: int, delta: TokenDelta) -> bytes:
        """Write the frames of a delta: of its text, or of the parts that it turns out to be."""
        if self._form.make_parser is None:
            return super().middle(index, delta)
        if index not in self._parsers:
            self._parsers[index] = self._form.make_parser()
        parser = self._parsers[index]
        parts = parser.feed(delta.text) + (parser.finish() if delta.finish_reason else [])
        if _called(parts):
            self._called.add(index)
        bodies = [delta_body(part) for part in parts] or ([{}] if delta.logprobs else [])
        logprobs = [delta.logprobs, *((),) * len(bodies)]
        return b"".join(
            self.chunk(_choice(index, body, None, shown))
            for body, shown in zip(bodies, logprobs, strict=False)
        )

    def reason(self, index: int, delta: TokenDelta) -> str | None:
        """Say why a choice ended."""
        return self._form.reason(delta, called=index in self._called)

    def choice(
        self,
        index: int,
        text: str | None,
        finish_reason: str | None,
        logprobs: Sequence[TokenLogprob],
    ) -> dict[str, Any]:
        """Give a chunk's choice."""
        delta = {} if text is None else {"content": text}
        return _choice(index, delta, finish_reason, logprobs)


def _choice(
    index: int,
    delta: dict[str, Any],
    finish_reason: str | None = None,
    logprobs: Sequence[TokenLogprob] = (),
) -> dict[str, Any]:
    return {
        "index": index,
        "delta": delta,
        "logprobs": chat_logprobs(logprobs),
        "finish_reason": finish_reason,
    }


def _called(parts: Sequence[MessageDelta]) -> bool:
    return any(isinstance(part, ToolCallDelta) for part in parts)


@routes.post("/v1/chat/completions")
async def create_chat_completion(request: Request) -> Response:
    """Answer a conversation, whole or token by token."""
    gateway = gateway_of(request)
    body = await read_body(request, ChatCompletionRequest, gateway.config.limits.max_body_bytes)
    models = served(request, body.model)
    engine, model = models.engine(body.model), models.config(body.model)
    form = ChatFormat(parser_for(body, model), named=isinstance(body.tool_choice, NamedChoice))
    head = ResponseHead.new("chatcmpl-", body.model, service_tier=body.service_tier is not None)
    wanted = for_caller(
        request, body.to_engine(request_id(request, head)), stream=bool(body.stream)
    )
    streams = [count_reasoning_tokens(engine.generate(one), model.reasoning) for one in wanted]
    return await answer(request, body, head, wanted, streams, form)

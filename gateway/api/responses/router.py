"""The answers of `/v1/responses`, whole or as typed events, and the route."""

from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from engine import Engine, GenerateRequest, InvalidRequest, TokenDelta
from gateway.api.body import read_body
from gateway.api.caller_requests import for_caller
from gateway.api.chat.parsers import MakeParser, parser_for
from gateway.api.models import served
from gateway.api.responses.protocol import ResponsesRequest
from gateway.api.responses.rendering import Events
from gateway.api.schema import ResponseHead, request_id
from gateway.api.state import gateway_of
from gateway.api.streaming.choices import UsageTotals
from gateway.api.streaming.respond import answer
from gateway.deltas import Deltas
from gateway.parsing.deltas import ContentDelta, MessageDelta
from gateway.parsing.reasoning import count_reasoning_tokens

routes = APIRouter()

# What an engine refuses, by the names that this endpoint has for it.
_NAMES = {
    "messages": "input",
    "max_tokens": "max_output_tokens",
    "response_format": "text.format",
    "reasoning_effort": "reasoning.effort",
    "logprobs": "top_logprobs",
}


class ResponsesFormat:
    """How one request is answered."""

    def __init__(self, body: ResponsesRequest, make_parser: MakeParser | None) -> None:
        self._body = body
        self._make_parser = make_parser

    def writer(
        self, head: ResponseHead, count: int, tally: UsageTotals, *, include_usage: bool
    ) -> "Events":  # noqa: ARG002 - it always comes, and for one choice
        """Make the writer of a stream."""
        return Events(self._body, head, self.parse(), tally)

    def whole(
        self, head: ResponseHead, completions: Sequence[TokenDelta], tally: UsageTotals
    ) -> dict[str, Any]:
        """Give the whole answer: what a stream would have ended with."""
        last = Events(self._body, head, self.parse(), tally).take(completions[0])[-1]
        return dict(last["response"])

    def parse(self) -> Callable[[TokenDelta], list[MessageDelta]]:
        """Make what turns the deltas of one answer into parts."""
        if self._make_parser is None:
            return lambda delta: [ContentDelta(delta.text)] if delta.text else []
        parser = self._make_parser()
        return lambda delta: (
            parser.feed(delta.text) + (parser.finish() if delta.finish_reason else [])
        )


async def _in_these_words(engine: Engine, request: GenerateRequest) -> Deltas:
    """Pass deltas on; a refusal names the parameter as this endpoint calls it."""
    try:
        async with aclosing(engine.generate(request)) as deltas:
            async for delta in deltas:
                yield delta
    except InvalidRequest as error:
        param = error.param or ""
        name = _NAMES.get(param, param)
        message = error.message.replace(f"'{param}'", f"'{name}'")
        message = message.replace("max_tokens", "max_output_tokens")
        raise type(error)(message, name or None) from error


@routes.post("/v1/responses")
async def create_response(request: Request) -> Response:
    """Answer an input, whole or event by event."""
    gateway = gateway_of(request)
    body = await read_body(request, ResponsesRequest, gateway.config.limits.max_body_bytes)
    models = served(request, body.model)
    engine, model = models.engine(body.model), models.config(body.model)
    chat = body.to_chat()
    head = ResponseHead.new("resp_", body.model)
    (wanted,) = for_caller(
        request, chat.to_engine(request_id(request, head)), stream=bool(body.stream)
    )
    deltas = count_reasoning_tokens(_in_these_words(engine, wanted), model.reasoning)
    form = ResponsesFormat(body, parser_for(chat, model))
    return await answer(request, chat, head, [wanted], [deltas], form)

"""What one delta costs on its way to a frame, in microseconds, without a socket."""

import json
import timeit
from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any, Final

from openai.types.chat import ChatCompletionChunk

from engine import TokenDelta, TokenLogprob
from gateway.api.body.route import parse_body
from gateway.api.chat.protocol import ChatCompletionRequest
from gateway.api.chat.rendering import ChatRenderer
from gateway.api.responses.protocol import ResponsesRequest
from gateway.api.responses.rendering import ResponsesRenderer
from gateway.api.schema import ResponseHead
from gateway.parsing.message import MessageParser
from gateway.parsing.tool_calls import make_parser

TURN: Final = 10_000
HEAD: Final = ResponseHead.new("chatcmpl-", "a-model")
TEXT: Final = TokenDelta(text=" river", token_ids=(1,))
TOP: Final = tuple(TokenLogprob(token=f" river{n}", logprob=-float(n)) for n in range(5))
LOGPROBS: Final = TokenDelta(
    text=" river", token_ids=(1,), logprobs=(TokenLogprob(token=" river", logprob=-0.1, top=TOP),)
)


def _renderer(make_parser: Callable[[], MessageParser] | None = None) -> ChatRenderer:
    renderer = ChatRenderer(HEAD, make_parser)
    renderer.feed(0, TEXT)
    return renderer


def _text() -> Callable[[], Any]:
    renderer = _renderer()
    return lambda: renderer.feed(0, TEXT)


def _logprobs() -> Callable[[], Any]:
    renderer = _renderer()
    return lambda: renderer.feed(0, LOGPROBS)


def _arguments() -> Callable[[], Any]:
    renderer = _renderer(lambda: MessageParser(None, make_parser("hermes", {"weather": {}}, None)))
    renderer.feed(0, TokenDelta(text='<tool_call>{"name": "weather", "arguments": {"days": ['))
    pieces = cycle([TokenDelta(text=text) for text in ("12", ", ", '"rain"', ", ")])
    return lambda: renderer.feed(0, next(pieces))


def _event() -> Callable[[], Any]:
    body = ResponsesRequest(model="a-model", input="Hello.")
    events = ResponsesRenderer(HEAD, body, None)
    return lambda: events.feed(0, TEXT)


def _pydantic() -> Callable[[], Any]:
    """Do what servers do that write a chunk with a model: construct it, and dump it."""

    def write() -> bytes:
        choice = {"index": 0, "delta": {"content": TEXT.text}, "finish_reason": None}
        fields = HEAD.fields("chat.completion.chunk") | {"choices": [choice]}
        chunk = ChatCompletionChunk.model_validate(fields)
        return f"data: {chunk.model_dump_json(exclude_unset=True)}\n\n".encode()

    return write


def _parse() -> Callable[[], Any]:
    said = "A question about the river, its valley and the bridges across it. " * 4
    roles = cycle(("user", "assistant"))
    messages = [{"role": next(roles), "content": said} for _ in range(19)]
    body = {"model": "a-model", "messages": [*messages, {"role": "user", "content": said}]}
    raw = json.dumps(body | {"temperature": 0.7, "max_tokens": 256, "stream": True}).encode()
    return lambda: parse_body(raw, ChatCompletionRequest)


CASES: Final[dict[str, Callable[[], Callable[[], Any]]]] = {
    "text delta -> frame": _text,
    "the same through the SDK's pydantic type": _pydantic,
    "delta with 5 logprobs -> frame": _logprobs,
    "piece of a tool call -> frame": _arguments,
    "text delta -> event of /v1/responses": _event,
    "parse and validate a request of 20 messages": _parse,
}


def measured(runs: int) -> Iterator[tuple[str, list[float]]]:
    """Give each case's microseconds, one figure a run."""
    for name, make in CASES.items():
        number = TURN // 50 if make is _parse else TURN
        timer = timeit.Timer(make())
        timer.timeit(number // 10)
        yield name, [1e6 * timer.timeit(number) / number for _ in range(runs)]

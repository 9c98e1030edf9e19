"""`POST /v1/chat/completions`: the answers and the route."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from engine import TokenDelta, TokenLogprob
from gateway.answer import answer
from gateway.body import read_body
from gateway.chat_request import ChatCompletionRequest
from gateway.framer import Framer
from gateway.logprobs import chat_logprobs
from gateway.state import gateway_of
from gateway.wire import Head, request_id

routes = APIRouter()


class ChatFramer(Framer):
    """Writes `chat.completion.chunk`s."""

    object_ = "chat.completion.chunk"

    def opening(self, index: int) -> list[dict[str, Any]]:
        """Begin a choice with its role."""
        role = {"role": "assistant", "content": "", "refusal": None}
        return [{"index": index, "delta": role, "logprobs": None, "finish_reason": None}]

    def choice(
        self,
        index: int,
        text: str | None,
        finish_reason: str | None,
        logprobs: Sequence[TokenLogprob],
    ) -> dict[str, Any]:
        """Give a chunk's choice."""
        delta = {} if text is None else {"content": text}
        return {
            "index": index,
            "delta": delta,
            "logprobs": chat_logprobs(logprobs),
            "finish_reason": finish_reason,
        }


def choice(index: int, whole: TokenDelta) -> dict[str, Any]:
    """Give one choice of a whole answer."""
    message = {"role": "assistant", "content": whole.text, "refusal": None}
    return {
        "index": index,
        "message": message,
        "logprobs": chat_logprobs(whole.logprobs),
        "finish_reason": whole.finish_reason,
    }


@routes.post("/v1/chat/completions")
async def create_chat_completion(request: Request) -> Response:
    """Answer a conversation, whole or token by token."""
    gateway = gateway_of(request)
    body = await read_body(request, ChatCompletionRequest, gateway.config.limits.max_body_bytes)
    engine = gateway.models.engine(body.model)
    head = Head.new("chatcmpl", body.model)
    streams = [engine.generate(one) for one in body.to_engine(request_id(request, head))]
    return await answer(request, body, head, streams, ChatFramer, choice)

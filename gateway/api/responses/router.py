"""`POST /v1/responses`: translated into a chat, and its answer into typed events."""

from dataclasses import replace
from typing import Final

from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.responses import Response

from gateway.api.body.route import BodyRoute
from gateway.api.chat.message_parser import message_parser
from gateway.api.openapi import ERRORS, streamed
from gateway.api.responses.conversation import message_names
from gateway.api.responses.protocol import ResponsesRequest
from gateway.api.responses.rendering import ResponsesRenderer
from gateway.api.responses.response import ResponseBody, ResponseEvent
from gateway.api.session import RequestSession
from gateway.api.streaming.respond import respond
from gateway.errors import ApiError

router = APIRouter(route_class=BodyRoute, tags=["generation"], responses=ERRORS)

# This endpoint's names of the parameters that an engine refuses.
PARAMETER_NAMES: Final = {
    "messages": "input",
    "max_tokens": "max_output_tokens",
    "response_format": "text.format",
    "reasoning_effort": "reasoning.effort",
    "logprobs": "top_logprobs",
}


@router.post("/v1/responses", responses=streamed(ResponseBody, ResponseEvent))
async def create_response(request: Request, body: ResponsesRequest) -> Response:
    """Answer an input, whole or event by event."""
    names = dict(PARAMETER_NAMES)
    try:
        chat = body.to_chat()
        if body.truncation == "auto":
            names |= message_names(body.instructions, body.input)
    except ValidationError as error:  # every item is valid, and what they make together is not
        message = f"Invalid 'input': as a conversation, {error.errors()[0]['msg']}."
        raise ApiError(400, message, code="invalid_value", param="input") from None
    session = RequestSession.open(request, body.model, "resp_", parameter_names=names)
    session.context.ignored += body.ignored()
    session.ignore_hints({"text.verbosity": body.text and body.text.verbosity})
    parser = message_parser(chat, session.model.config)
    renderer = ResponsesRenderer(session.head, body, parser)
    requests = chat.to_engine(session.engine_id, session.model.config)
    if body.truncation == "auto":
        requests = [replace(one, truncate=True) for one in requests]
    return await respond(request, session, requests, renderer, stream=bool(body.stream))

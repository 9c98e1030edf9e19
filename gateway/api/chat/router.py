"""`POST /v1/chat/completions`."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from gateway.api.body.route import BodyRoute
from gateway.api.chat.message_parser import message_parser
from gateway.api.chat.protocol import ChatCompletionRequest
from gateway.api.chat.rendering import ChatRenderer
from gateway.api.chat.response import ChatCompletion, ChatCompletionChunk
from gateway.api.chat.tools import NamedChoice
from gateway.api.openapi import ERRORS, streamed
from gateway.api.session import RequestSession
from gateway.api.streaming.respond import respond

router = APIRouter(route_class=BodyRoute, tags=["generation"], responses=ERRORS)


@router.post("/v1/chat/completions", responses=streamed(ChatCompletion, ChatCompletionChunk))
async def create_chat_completion(request: Request, body: ChatCompletionRequest) -> Response:
    """Answer a conversation, whole or token by token."""
    choices = body.n or 1
    tier = body.service_tier is not None
    session = RequestSession.open(
        request,
        body.model,
        "chatcmpl-",
        choices=choices,
        service_tier=tier,
        parameter_names=body.parameter_names,
    )
    renderer = ChatRenderer(
        session.head,
        message_parser(body, session.model.config),
        choices=choices,
        include_usage=body.include_usage,
        continuous_usage=body.continuous_usage,
        return_token_ids=bool(body.return_token_ids),
        forced_call=isinstance(body.tool_choice, NamedChoice),
        include_reasoning=body.include_reasoning is not False,
    )
    session.ignore_hints({"verbosity": body.verbosity})
    requests = body.to_engine(session.engine_id, session.model.config)
    return await respond(request, session, requests, renderer, stream=bool(body.stream))

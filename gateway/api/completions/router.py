"""`POST /v1/completions`."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from gateway.api.body.route import BodyRoute
from gateway.api.completions.protocol import CompletionRequest
from gateway.api.completions.rendering import CompletionRenderer
from gateway.api.completions.response import Completion
from gateway.api.openapi import ERRORS, streamed
from gateway.api.session import RequestSession
from gateway.api.streaming.respond import respond

router = APIRouter(route_class=BodyRoute, tags=["generation"], responses=ERRORS)


@router.post("/v1/completions", responses=streamed(Completion, Completion))
async def create_completion(request: Request, body: CompletionRequest) -> Response:
    """Continue prompts, whole or token by token."""
    choices = body.n or 1
    session = RequestSession.open(
        request, body.model, "cmpl-", choices=choices, prompts=len(body.prompts)
    )
    requests = body.to_engine(session.engine_id)
    renderer = CompletionRenderer(
        session.head,
        choices=choices,
        streams=len(requests),
        include_usage=body.include_usage,
        continuous_usage=body.continuous_usage,
        return_token_ids=bool(body.return_token_ids),
    )
    return await respond(request, session, requests, renderer, stream=bool(body.stream))

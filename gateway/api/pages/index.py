"""`GET /`: what this gateway is: a page for a browser, JSON for a program."""

import html
import json
from importlib.resources import files
from string import Template
from typing import Final, Literal, NotRequired

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from typing_extensions import TypedDict

from engine import Phase
from gateway.api.openapi import ERRORS
from gateway.api.state import gateway_of
from gateway.context import context_of
from gateway.version import README, VERSION

router = APIRouter(tags=["operations"], responses=ERRORS)
_PAGE: Final = Template((files(__package__) / "index.html").read_text("utf-8"))


class Index(TypedDict):
    """The gateway's name and version; `models` and their phases are for callers with a key."""

    name: Literal["neuron-gateway"]
    version: str
    docs: str | None
    models: NotRequired[dict[str, Phase]]


@router.get("/", response_model=None, responses={200: {"model": Index}})
async def index(request: Request) -> Response:
    """Return what this gateway is and which models it serves."""
    gateway, context = gateway_of(request), context_of(request.scope)
    body: Index = {
        "name": "neuron-gateway",
        "version": VERSION,
        "docs": "/docs" if gateway.config.docs else None,
    }
    if context.authenticated:
        models = gateway.models.for_caller(context.caller)
        body["models"] = {model.id: model.backend.phase for model in models}
    if "text/html" not in request.headers.get("accept", ""):
        return JSONResponse(body)
    base = f"{str(request.base_url).rstrip('/')}/v1"
    return HTMLResponse(_page(body, base, needs_key=gateway.config.keys_file is not None))


@router.get("/readme", include_in_schema=False)
async def readme() -> Response:
    """Return the README of the installed version, as Markdown."""
    return Response(README, media_type="text/markdown; charset=utf-8")


def _page(body: Index, base: str, *, needs_key: bool) -> str:
    models = body.get("models", {})
    rows = [
        f"<tr><td>{html.escape(id_)}</td><td>{phase}</td></tr>" for id_, phase in models.items()
    ]
    docs = '<a href="docs">API reference</a>' if body["docs"] else "The API reference is off."
    curl = curl_command(base, next(iter(models), "MODEL"), needs_key=needs_key)
    return _PAGE.substitute(
        version=html.escape(body["version"]),
        rows="".join(rows) or "<tr><td colspan=2>Send an API key to see the models.</td></tr>",
        docs=docs,
        curl=html.escape(curl),
    )


def curl_command(base: str, model: str, *, needs_key: bool) -> str:
    """Return a command line that streams an answer from the API at `base`."""
    messages = [{"role": "user", "content": "Say hello."}]
    body = json.dumps({"model": model, "messages": messages, "stream": True})
    key = " -H 'authorization: Bearer YOUR-KEY'" if needs_key else ""
    headers = f"-H 'content-type: application/json'{key}"
    return f"curl -N {base}/chat/completions {headers} -d '{body}'"

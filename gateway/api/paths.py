"""The paths of requests: slashes too many are served; for other slips the right path is named."""

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Final
from urllib.parse import quote, unquote

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.errors import ApiError

SHOWN: Final = 200  # characters of a path in an error
SIMILAR: Final = 0.8  # difflib's ratio
OTHER_MODELS: Final = ("/v1/embeddings", "/v1/audio/", "/v1/images/", "/v1/moderations")
_SLASHES: Final = re.compile(rb"/{2,}")


class PathMiddleware:
    """ASGI middleware that serves `/v1//models/` as `/v1/models`.

    It is the outermost, so that keys, log and metrics see the path that the router sees. A slash
    that is written as `%2F` is part of a name and stays.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with another path where the path has slashes too many."""
        raw = _raw_path(scope) if scope["type"] == "http" else b""
        if b"//" in raw or raw.endswith(b"/"):
            scope = {**scope, **_paths(raw, scope.get("root_path", ""))}
        await self._app(scope, receive, send)


def _raw_path(scope: Scope) -> bytes:
    return scope.get("raw_path") or quote(scope["path"]).encode()


def _paths(raw: bytes, root_path: str) -> dict[str, str | bytes]:
    """Return the paths of an ASGI scope for a path; the slash of the root itself stays."""
    raw = _SLASHES.sub(b"/", raw)
    path = unquote(raw.decode("ascii"))
    if path == f"{root_path.rstrip('/')}/":
        return {"path": path, "raw_path": raw}
    return {"path": path[:-1] if raw.endswith(b"/") else path, "raw_path": raw.removesuffix(b"/")}


def wrong_method(request: Request) -> ApiError:
    """Return the error for a path that has routes of other methods alone."""
    _, path = _split_path(request)
    routes = [route for route in request.app.routes if isinstance(route, APIRoute)]
    methods = {m for route in routes if route.path_regex.match(path) for m in route.methods}
    return ApiError(
        405,
        f"Method not allowed: {request.method} {request.url.path[:SHOWN]}.",
        code="method_not_supported",
        headers={"allow": ", ".join(sorted(methods))},
    )


def unknown_path(request: Request) -> ApiError:
    """Return the error for a path without a route, with the path that was probably meant."""
    root_path, path = _split_path(request)
    what = f"{request.method} {request.url.path[:SHOWN]}"
    if path.startswith(OTHER_MODELS):
        return ApiError(404, f"{what} needs another kind of model; this gateway generates text.")
    hint = _hint(path[:SHOWN], request.method, request.app.routes, root_path)
    return ApiError(404, f"Unknown request URL: {what}. {hint or 'Check the path.'}")


def _split_path(request: Request) -> tuple[str, str]:
    """Return the app's root path, and a request's path below it."""
    root_path = request.scope.get("root_path", "").rstrip("/")
    return root_path, request.url.path.removeprefix(root_path)


def _hint(path: str, method: str, routes: Sequence[BaseRoute], root_path: str) -> str | None:
    served = [r for r in routes if isinstance(r, APIRoute) and r.include_in_schema]
    for candidate in _with_other_base(path):
        for route in served:
            if route.path_regex.match(candidate):
                hint = _did_you_mean(route, method, root_path + candidate)
                if not candidate.startswith("/v1/"):
                    return hint
                return f"{hint} Set the client's base URL to one that ends in {root_path}/v1, once."
    by_path = {route.path: route for route in reversed(served)}
    for close in get_close_matches(path, by_path, 1, SIMILAR):
        return _did_you_mean(by_path[close], method, root_path + close)
    return None


def _with_other_base(path: str) -> Iterator[str]:
    """Yield each end of a path below `/v1`, and as it is: what is before it is a client's base."""
    for slash in re.finditer("/", path):
        end = path[slash.start() :]
        yield from (f"/v1{end}", end)


def _did_you_mean(route: APIRoute, method: str, path: str) -> str:
    return f"Did you mean {method if method in route.methods else min(route.methods)} {path}?"

"""`ApiKeyMiddleware`: authenticates by bearer key and sends the headers of the key's limits."""

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.caller import Caller
from gateway.context import context_of
from gateway.errors import ApiError
from gateway.keys.rate_limit import RateLimiter
from gateway.keys.store import KeyStore

# Probes have no keys; the reference and the index page hold nothing secret.
OPEN_PATHS: Final = frozenset({
    "/", "/docs", "/health", "/healthz", "/openapi.json", "/ping", "/readme", "/readyz", "/version"
})  # fmt: skip
OPEN_BELOW: Final = "/docs/assets/"
_MISSING: Final = ApiError(
    401,
    "You did not give an API key. Send it in the header `Authorization: Bearer KEY`.",
    headers={"www-authenticate": "Bearer"},
)
_WRONG: Final = ApiError(401, "Incorrect API key provided.", code="invalid_api_key")


class ApiKeyMiddleware:
    """ASGI middleware that sets the context's caller; without keys everyone may call."""

    def __init__(self, app: ASGIApp, keys: KeyStore | None, rate_limiter: RateLimiter) -> None:
        self._app = app
        self._keys = keys
        self._rate_limiter = rate_limiter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or respond with 401."""
        if scope["type"] != "http" or self._keys is None:
            await self._app(scope, receive, send)
            return
        caller = await self._authenticate(Headers(scope=scope).get("authorization", ""), self._keys)
        if isinstance(caller, ApiError):
            context_of(scope).authenticated = False
            await (self._app if _is_open(scope) else caller.response())(scope, receive, send)
            return
        context_of(scope).caller = caller
        await self._app(scope, receive, self._with_limits(caller, send) if caller.limited else send)

    async def _authenticate(self, header: str, keys: KeyStore) -> Caller | ApiError:
        scheme, _, text = header.partition(" ")
        if scheme.lower() != "bearer" or not text.strip():
            return _MISSING
        key = await keys.find(text.strip())
        return _WRONG if key is None else key

    def _with_limits(self, caller: Caller, send: Send) -> Send:
        async def send_with_limits(message: Message) -> None:
            if message["type"] == "http.response.start":
                limits = await self._rate_limiter.rate_limit_headers(caller)
                MutableHeaders(scope=message).update(limits)
            await send(message)

        return send_with_limits


def _is_open(scope: Scope) -> bool:
    """Return whether a path needs no key; Serve's route prefix is the `root_path` before it."""
    root_path: str = scope.get("root_path", "")
    path = scope["path"].removeprefix(root_path.rstrip("/"))
    return path in OPEN_PATHS or path.startswith(OPEN_BELOW)

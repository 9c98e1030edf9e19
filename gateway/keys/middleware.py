"""ASGI middleware: who calls, by bearer key, and how much of the caller's limits is left."""

from typing import Final

from starlette._utils import get_route_path
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.caller import Caller
from gateway.context import context_of
from gateway.errors import ApiError
from gateway.keys.rate_limit import RateLimiter
from gateway.keys.store import KeyStore

OPEN: Final = frozenset({"/", "/docs", "/healthz", "/openapi.json", "/readme", "/readyz"})
OPEN_BELOW: Final = "/docs/assets/"
_MISSING: Final = ApiError(
    401,
    "You did not give an API key. Send it in the header `Authorization: Bearer KEY`.",
    headers={"www-authenticate": "Bearer"},
)
_WRONG: Final = ApiError(401, "Incorrect API key provided.", code="invalid_api_key")


class ApiKeyMiddleware:
    """Wraps the app; puts the caller into the scope. Without keys everyone may call."""

    def __init__(self, app: ASGIApp, keys: KeyStore | None, limiter: RateLimiter) -> None:
        self._app = app
        self._keys = keys
        self._limiter = limiter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401."""
        if scope["type"] != "http" or self._keys is None:
            await self._app(scope, receive, send)
            return
        caller = await self._caller(Headers(scope=scope).get("authorization", ""), self._keys)
        if isinstance(caller, ApiError):
            path = get_route_path(scope)
            is_open = path in OPEN or path.startswith(OPEN_BELOW)
            context_of(scope).authenticated = False
            await (self._app if is_open else caller.response())(scope, receive, send)
            return
        context_of(scope).caller = caller
        await self._app(scope, receive, self._with_limits(caller, send) if caller.limited else send)

    async def _caller(self, header: str, keys: KeyStore) -> Caller | ApiError:
        scheme, _, text = header.partition(" ")
        if scheme.lower() != "bearer" or not text.strip():
            return _MISSING
        key = await keys.find(text.strip())
        return _WRONG if key is None else key.caller()

    def _with_limits(self, caller: Caller, send: Send) -> Send:
        async def send_with_limits(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in (await self._limiter.rate_limit_headers(caller)).items():
                    headers[name] = value
            await send(message)

        return send_with_limits

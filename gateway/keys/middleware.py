"""ASGI middleware: who calls, by bearer key, and how much of the caller's limits is left."""

from typing import Final

from starlette._utils import get_route_path
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import ApiError
from gateway.keys.caller import Caller
from gateway.keys.rate_limit import RateLimiter
from gateway.keys.store import KeyStore

OPEN: Final = frozenset({"/healthz", "/readyz"})  # probes have no keys
_MISSING: Final = ApiError(
    401,
    "You did not give an API key. Send it in the header `Authorization: Bearer KEY`.",
    headers={"www-authenticate": "Bearer"},
)
_WRONG: Final = ApiError(401, "Incorrect API key provided.", code="invalid_api_key")


class ApiKeyMiddleware:
    """Wraps the app; puts the caller into the scope. Without keys everyone may call."""

    def __init__(self, app: ASGIApp, keys: KeyStore | None, quota: RateLimiter) -> None:
        self._app = app
        self._keys = keys
        self._quota = quota

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401."""
        if scope["type"] != "http" or self._keys is None:
            await self._app(scope, receive, send)
            return
        caller = await self._caller(Headers(scope=scope).get("authorization", ""), self._keys)
        if isinstance(caller, ApiError):
            is_open = get_route_path(scope) in OPEN
            scope["unauthenticated"] = True
            await (self._app if is_open else caller.response())(scope, receive, send)
            return
        scope["caller"] = caller
        await self._app(scope, receive, self._telling(caller, send) if caller.limited else send)

    async def _caller(self, header: str, keys: KeyStore) -> Caller | ApiError:
        scheme, _, text = header.partition(" ")
        if scheme.lower() != "bearer" or not text.strip():
            return _MISSING
        key = await keys.find(text.strip())
        return _WRONG if key is None else Caller.of(key)

    def _telling(self, caller: Caller, send: Send) -> Send:
        async def send_with_limits(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in (await self._quota.rate_limit_headers(caller)).items():
                    headers[name] = value
            await send(message)

        return send_with_limits

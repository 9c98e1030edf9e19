"""`AccessLogMiddleware`: request ids, the standard response headers, and one log line a request."""

import json
import logging
import re
import time
import uuid
from typing import Any, Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine import without_message
from gateway.context import RequestContext, set_context
from gateway.errors import api_error
from gateway.observe.ignored_fields import IgnoredFields, header_value
from gateway.observe.metrics import Meter

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")

log = logging.getLogger("gateway.observe.access_log")


class AccessLogMiddleware:
    """ASGI middleware around the whole app; it logs no prompt and no completion.

    `sets_request_id` is false under Ray Serve, which sets the header `x-request-id` itself.
    """

    def __init__(self, app: ASGIApp, sets_request_id: bool, meter: Meter) -> None:
        self._app = app
        self._meter = meter
        self._ignored = IgnoredFields(meter)
        self._sets_request_id = sets_request_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with a `RequestContext` in its scope."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        context = RequestContext(_request_id(Headers(scope=scope).get("x-request-id", "")))
        set_context(scope, context)
        entry: dict[str, Any] = {"request_id": context.request_id, "status": 499}

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry["status"] = message["status"]
                self._add_headers(message, context, time.perf_counter() - start)
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception as error:
            failure = without_message(error)
            log.exception("request %s failed", context.request_id, exc_info=failure)
            if entry["status"] != 499:
                # The response has started: only a closed connection can signal the error.
                raise failure from None
            await api_error(error).response()(scope, receive, send_with_headers)
        finally:
            entry |= {"method": scope["method"], "path": scope["path"][:200]}
            entry["seconds"] = round(time.perf_counter() - start, 4)
            self._count(scope, entry["status"])
            if context.ignored:
                entry["ignored_fields"] = header_value(context.ignored)
                self._ignored.count(context.ignored)
            fields = entry | context.log_fields
            log.info("%s", json.dumps(fields), extra={"fields": fields})

    def _count(self, scope: Scope, status: int) -> None:
        """Count a response by its route: clients must not choose labels by unknown paths."""
        path = getattr(scope.get("route"), "path", "other")
        labels = {"method": scope["method"], "path": path, "status": str(status)}
        self._meter.add("http_responses_total", labels)

    def _add_headers(self, message: Message, context: RequestContext, seconds: float) -> None:
        headers = MutableHeaders(scope=message)
        headers["openai-processing-ms"] = str(round(seconds * 1000))
        if self._sets_request_id:
            headers["x-request-id"] = context.request_id
        if context.ignored:
            headers["x-ignored-fields"] = header_value(context.ignored)


def _request_id(header: str) -> str:
    return header if _REQUEST_ID.fullmatch(header) else uuid.uuid4().hex

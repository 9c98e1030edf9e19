"""Reads a request's JSON body: media type, content coding, size, syntax, schema."""

import asyncio
import json
import math
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar, get_type_hints

from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from gateway.api.body.budget import Reservation
from gateway.api.body.content_coding import content_coding, decode
from gateway.api.body.json_bounds import JsonBounds
from gateway.api.body.surrogates import parse_json
from gateway.api.body.unknown_fields import take_unknown_fields
from gateway.api.schema import MAX_KEYS, RequestModel
from gateway.api.state import gateway_of
from gateway.config import AppConfig
from gateway.context import RequestContext, context_of
from gateway.errors import ApiError, validation_error

Body = TypeVar("Body", bound=RequestModel)

LARGE_BODY: Final = 32 * 2**10  # bytes: reading it takes milliseconds
BODY_SECONDS: Final = 60.0
# Read and thrown away above the limit: closing a socket that has unread bytes resets the
# connection, and the client would never see the 413.
DISCARDED: Final = 64 * 2**20


class BodyRoute(APIRoute):
    """A route whose endpoint takes `(request, body)`: FastAPI documents the body, this reads it.

    FastAPI's own reader coerces types, and says what is wrong in a shape of its own.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of a request."""
        schema = get_type_hints(self.endpoint)["body"]

        async def handle(request: Request) -> Response:
            gateway = gateway_of(request)
            limit = min(gateway.config.limits.max_body_bytes, schema.max_bytes)
            with gateway.body_budget.reservation() as reservation:
                body, unknown = await read_body(request, schema, limit, reservation)
            _report(unknown, context_of(request.scope), gateway.config)
            answer = await self.endpoint(request, body)
            return answer if isinstance(answer, Response) else JSONResponse(answer)

        return handle


async def read_body(
    request: Request, schema: type[Body], limit: int, reservation: Reservation
) -> tuple[Body, list[str]]:
    """Read a body of at most `limit` bytes into `schema`; return it and its unknown fields.

    The limit is on the body as it is sent and as it is decoded. Raise ApiError 400, 413, 415 or
    503.
    """
    _require_json(request)
    coding = content_coding(request)
    raw = await _read(request, limit, reservation)
    if coding is not None:
        raw = await decode(raw, coding, limit + 1, reservation)
        if len(raw) > limit:
            raise _too_large(limit)
    if len(raw) <= LARGE_BODY:
        return parse_body(raw, schema)
    return await asyncio.to_thread(parse_body, raw, schema)  # streams go on meanwhile


def parse_body(raw: bytes, schema: type[Body]) -> tuple[Body, list[str]]:
    """Read JSON into `schema`; return it and the paths of its unknown fields.

    Raise ApiError 400.
    """
    JsonBounds(schema.max_values).check(raw)
    document = _parse(raw)
    found: dict[str, bool] = {}
    try:
        # Strict: a string where a number belongs is the client's mistake, not ours to correct.
        body = schema.model_validate(document, strict=True, context=found)
    except ValidationError as error:
        raise validation_error(error) from None
    return body, take_unknown_fields(body) if found else []


def _report(unknown: list[str], context: RequestContext, config: AppConfig) -> None:
    """Report unknown fields; raise ApiError 400 where the config or the key refuses them."""
    policy = context.caller.unknown_fields or config.unknown_fields
    if unknown and policy == "refuse":
        message = f"Unknown parameter: '{unknown[0]}'."
        raise ApiError(400, message, code="unknown_parameter", param=unknown[0])
    context.ignored += unknown


def _parse(raw: bytes) -> Any:
    try:
        return parse_json(raw.decode(), _load)
    except (ValueError, RecursionError):
        message = "The body is not valid JSON. Send one JSON object in UTF-8."
        raise ApiError(400, message) from None


def _load(text: str) -> Any:
    return json.loads(
        text, object_pairs_hook=_object, parse_float=_float, parse_constant=_no_number
    )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object whose keys differ: of two values, one would be dropped in silence."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = Counter(names).most_common(1)[0][0][:64].encode("utf-8", "replace").decode()
        raise ApiError(400, "The body has a key twice. Send it once.", param=twice)
    if len(found) > MAX_KEYS:
        raise ApiError(400, f"An object of the body has more than {MAX_KEYS} keys.")
    return found


def _float(text: str) -> float:
    if math.isinf(number := float(text)):
        raise ApiError(400, "The body has a number that is too large. Send one below 1e308.")
    return number


def _no_number(name: str) -> Any:
    raise ValueError(name)  # NaN and Infinity are Python's, not JSON's


def _require_json(request: Request) -> None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise ApiError(
            415,
            "Unsupported media type. Send the header 'Content-Type: application/json'.",
            code="unsupported_media_type",
        )


async def _read(request: Request, limit: int, reservation: Reservation) -> bytes:
    raw = bytearray()
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit + DISCARDED:
                    break
                if size <= limit:
                    reservation.add(len(chunk))
                    raw += chunk
    except ClientDisconnect:
        raise ApiError(499, "The client closed the connection.") from None
    except TimeoutError:
        raise ApiError(400, f"The body did not arrive within {BODY_SECONDS:.0f} s.") from None
    if size > limit:
        raise _too_large(limit)
    return bytes(raw)


def _too_large(limit: int) -> ApiError:
    return ApiError(
        413,
        f"The body is larger than the limit of {limit} bytes. Send a shorter request.",
        code="request_too_large",
        headers={"connection": "close"},
    )

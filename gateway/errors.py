"""`ApiError`, and the one table that turns everything raised into it.

An error is rendered as a JSON answer before the first byte of a stream, and as a frame after it;
both renderings show the same `body()`.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from starlette.responses import Response

from engine import (
    ContextLengthExceeded,
    DeadlineExceeded,
    EngineDead,
    EngineError,
    EngineLoading,
    EngineOverloaded,
    GenerationFailed,
    InvalidRequest,
    QuotaExceeded,
    UnsupportedParameter,
    UnsupportedValue,
)

# EngineDead has no time of its own: Serve takes this long to notice and replace a replica.
REPLACEMENT_SECONDS: Final = 30.0


@dataclass(eq=False)
class ApiError(Exception):
    """An error in OpenAI's shape: status, type, code, param and extra headers."""

    status: int
    message: str
    _: KW_ONLY
    code: str | None = None
    param: str | None = None
    type_: str = "invalid_request_error"
    headers: Mapping[str, str] | None = None

    def body(self) -> dict[str, Any]:
        """Return the envelope that OpenAI's clients parse."""
        error = {"message": self.message, "type": self.type_}
        return {"error": error | {"param": self.param, "code": self.code}}

    def response(self) -> Response:
        """Render as a JSON answer."""
        content = json.dumps(self.body(), ensure_ascii=False).encode()
        return Response(content, self.status, self.headers, "application/json")


Row = tuple[int, str, str | None]  # status, type, code
TABLE: Final[dict[type[EngineError], Row]] = {
    InvalidRequest: (400, "invalid_request_error", None),
    ContextLengthExceeded: (400, "invalid_request_error", "context_length_exceeded"),
    UnsupportedParameter: (400, "invalid_request_error", "unsupported_parameter"),
    UnsupportedValue: (400, "invalid_request_error", "unsupported_value"),
    EngineOverloaded: (429, "rate_limit_error", "engine_overloaded"),
    QuotaExceeded: (429, "requests", "rate_limit_exceeded"),
    DeadlineExceeded: (504, "server_error", "deadline_exceeded"),
    EngineLoading: (503, "server_error", "model_loading"),
    EngineDead: (503, "server_error", "engine_unavailable"),
    GenerationFailed: (500, "server_error", "generation_failed"),
}


def row_of(error: BaseException) -> Row:
    """Return the row of the most specific class of a raised error."""
    rows = (TABLE[cls] for cls in type(error).__mro__ if cls in TABLE)
    return next(rows, (500, "server_error", None))


def api_error(error: Exception) -> ApiError:
    """Convert anything raised; what is not ours becomes a 500 without its message."""
    if isinstance(error, ApiError):
        return error
    status, type_, code = row_of(error)
    if not isinstance(error, EngineError):
        return ApiError(status, "Internal server error.", type_=type_)
    param = error.param if isinstance(error, InvalidRequest) else None
    if isinstance(error, QuotaExceeded):
        type_ = error.limit  # as with OpenAI, the type names the limit
    headers = _headers(error)
    return ApiError(status, error.message, code=code, param=param, type_=type_, headers=headers)


def _headers(error: EngineError) -> dict[str, str]:
    seconds = REPLACEMENT_SECONDS if isinstance(error, EngineDead) else None
    seconds = getattr(error, "retry_after", seconds)
    # Infinite: waiting would not help. The SDK retries a 504 and would triple the load.
    if seconds == math.inf or isinstance(error, DeadlineExceeded):
        return {"x-should-retry": "false"}
    return {} if seconds is None else retry_headers(seconds)


def retry_headers(seconds: float) -> dict[str, str]:
    """Return the headers that say when to retry, both that the SDK reads; rounded up."""
    return {
        "retry-after": str(max(1, math.ceil(seconds))),
        "retry-after-ms": str(max(1, math.ceil(seconds * 1000))),
    }


_CODES: Final = {
    "missing": "missing_required_parameter",
    "extra_forbidden": "unknown_parameter",
    "unsupported_parameter": "unsupported_parameter",
    "unsupported_value": "unsupported_value",
}


def validation_error(error: ValidationError) -> ApiError:
    """Convert pydantic's finding: names the field, never echoes its value."""
    findings = error.errors(include_url=False, include_input=False)
    field = min(findings, key=_is_consequence)["loc"][:1]
    first = max((one for one in findings if one["loc"][:1] == field), key=_weight)
    kind, param = first["type"], _path(first["loc"])
    if param is None:
        return ApiError(400, "The body must be a JSON object.")
    code = _CODES.get(kind, "invalid_type" if kind.endswith("_type") else "invalid_value")
    return ApiError(400, _sentence(kind, param, first["msg"]), code=code, param=param)


def _is_consequence(finding: ErrorDetails) -> bool:
    """Return whether a finding may follow from another: of a request, the first cause is named.

    A parameter that is not supported is a cause by itself. Others are checked in the order in
    which they are declared, each against those before it alone.
    """
    return finding["type"] != "unsupported_parameter"


def _weight(finding: ErrorDetails) -> tuple[int, bool, bool]:
    """Weigh a finding of one field: of a union's the deepest is about what the client meant.

    Where a kind of thing is not served, what is missing in it does not matter.
    """
    kind = finding["type"]
    return len(finding["loc"]), kind == "unsupported_value", not kind.endswith("_type")


def _sentence(kind: str, param: str, finding: str) -> str:
    if kind == "missing":
        return f"Missing required parameter: '{param}'."
    if kind == "extra_forbidden":
        return f"Unknown parameter: '{param}'."
    return f"Invalid '{param}': {finding.removeprefix('Value error, ')}."


def _path(loc: tuple[int | str, ...]) -> str | None:
    path = ""
    for part in loc:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part.isidentifier() and part not in _UNION_TAGS and not part[0].isupper():
            path += f".{part}" if path else part
    return path or None


# pydantic puts the member of a union into the location, a type or a class; it is no field.
_UNION_TAGS: Final = frozenset({"str", "int", "float", "bool", "none"})

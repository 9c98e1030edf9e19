"""The API reference: what `/openapi.json` says beyond the routes' own types."""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter
from typing_extensions import TypedDict

from gateway.version import VERSION

_STREAMED: Final = "x-streamed"  # a route's mark for the type of its frames, until they are shown
_REF: Final = "#/components/schemas/{model}"


class ErrorDetail(TypedDict):
    """What went wrong; `param` is the path of the field to change."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(TypedDict):
    """An error in OpenAI's shape, the same on every path."""

    error: ErrorDetail


ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": ErrorBody, "description": "The request is invalid; `param` names the field."},
    401: {"model": ErrorBody, "description": "There is no API key, or a wrong one."},
    404: {"model": ErrorBody, "description": "The model does not exist, or is not for this key."},
    413: {"model": ErrorBody, "description": "The body is too large."},
    415: {"model": ErrorBody, "description": "The body is not `application/json`."},
    429: {"model": ErrorBody, "description": "A limit is reached; `retry-after-ms` says when."},
    503: {"model": ErrorBody, "description": "No engine is ready; `retry-after-ms` says when."},
    504: {"model": ErrorBody, "description": "A time limit was reached."},
    "default": {"model": ErrorBody, "description": "Another error."},
}


def streamed(whole: Any, frame: Any) -> dict[int | str, dict[str, Any]]:
    """Return the documentation of an answer that is one JSON object, or frames of another type."""
    description = "The whole answer, or with `stream: true` server-sent events."
    content = {"text/event-stream": {_STREAMED: frame}}
    return {200: {"model": whole, "description": description, "content": content}}


def document(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of an app's routes."""
    schema = get_openapi(
        title="neuron-gateway",
        version=VERSION,
        description="An OpenAI-compatible inference gateway.",
        routes=app.routes,
    )
    components = schema["components"]
    components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    schema["security"] = [{"bearer": []}, {}]  # without `keys_file` no key is needed
    for path in schema["paths"].values():
        for operation in path.values():
            _show_frames(operation, components["schemas"])
    return schema


def _show_frames(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Replace the mark of a streamed answer by the schema of its frames' data."""
    content = operation["responses"].get("200", {}).get("content", {})
    frame = content.get("text/event-stream", {}).pop(_STREAMED, None)
    if frame is not None:
        found = TypeAdapter(frame).json_schema(ref_template=_REF, mode="serialization")
        schemas.update(found.pop("$defs", {}))
        schemas[frame.__name__] = found
        content["text/event-stream"]["schema"] = {"$ref": _REF.format(model=frame.__name__)}

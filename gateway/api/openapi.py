"""The API reference: what `/openapi.json` says beyond the routes' own types."""

from collections.abc import Sequence
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter
from typing_extensions import TypedDict

from gateway.api.body.content_coding import CODINGS
from gateway.api.body.foreign_parameters import FOREIGN_PARAMETERS
from gateway.version import VERSION

DESCRIPTION: Final = f"""An OpenAI-compatible inference gateway.

Unknown fields of a request are taken without effect. The response header `x-ignored-fields` names
them, and what else had no effect. A misspelt name is a 400 that says which one is meant. So are
these parameters of other servers, where their value would change the answer:
{", ".join(f"`{name}`" for name in FOREIGN_PARAMETERS)}.

Bodies may be sent with a `Content-Encoding` of {", ".join(CODINGS)}."""
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
    415: {
        "model": ErrorBody,
        "description": "The body is not `application/json`, or has a content coding that is not "
        "read; `accept-encoding` names those that are.",
    },
    429: {"model": ErrorBody, "description": "A limit is reached; `retry-after-ms` says when."},
    503: {"model": ErrorBody, "description": "No engine is ready; `retry-after-ms` says when."},
    504: {"model": ErrorBody, "description": "A time limit was reached."},
    "default": {"model": ErrorBody, "description": "Another error."},
}


def streamed(whole: Any, frame: Any) -> dict[int | str, dict[str, Any]]:
    """Return the documentation of an answer that is one JSON object, or frames of another type."""
    description = "The whole answer, or with `stream: true` server-sent events."
    data = {
        "contentMediaType": "application/json",
        "contentSchema": {"$ref": _REF.format(model=frame.__name__)},
    }
    event = {"properties": {"data": {"type": "string", "anyOf": [data, {"const": "[DONE]"}]}}}
    content = {"text/event-stream": {"schema": event}}  # of each event, as tools read it
    return {200: {"model": whole, "description": description, "content": content}}


def document(app: FastAPI, frames: Sequence[Any]) -> dict[str, Any]:
    """Return the OpenAPI document of an app's routes, with the types of their frames' data."""
    schema = get_openapi(
        title="neuron-gateway", version=VERSION, description=DESCRIPTION, routes=app.routes
    )
    components = schema["components"]
    for frame in frames:
        found = TypeAdapter(frame).json_schema(ref_template=_REF, mode="serialization")
        components["schemas"] |= found.pop("$defs", {}) | {frame.__name__: found}
    components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    schema["security"] = [{"bearer": []}, {}]  # without `keys_file` no key is needed
    return schema

"""A CRD's structural schema as a JSON schema: unknown fields refused, defaults filled in."""

import copy
from collections.abc import Iterator
from typing import Any, Final

Schema = dict[str, Any]

_PLAIN: Final = (
    "type", "enum", "pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "required",
    "multipleOf",
)  # fmt: skip
_ENVELOPE: Final[Schema] = {
    "apiVersion": {"type": "string"},
    "kind": {"type": "string"},
    "metadata": {"type": "object"},
}
_RANGE: Final = {"int32": 2**31, "int64": 2**63}


def json_schema(schema: Schema, *, top: bool = False) -> Schema:
    """Return the JSON schema of a structural schema."""
    if schema.get("x-kubernetes-int-or-string"):
        return {"anyOf": [{"type": "integer"}, {"type": "string"}]} | _only(schema, ("pattern",))
    found = _only(schema, _PLAIN) | _properties(schema, top) | _others(schema)
    if schema.get("nullable") and "type" in found:
        found["type"] = [found["type"], "null"]
    for edge in ("Minimum", "Maximum"):  # OpenAPI 3.0 writes these as booleans
        if isinstance(flag := found.get(f"exclusive{edge}"), bool):
            del found[f"exclusive{edge}"]
            found |= {f"exclusive{edge}": found.pop(edge.lower())} if flag else {}
    if (bound := _RANGE.get(schema.get("format", ""))) and schema.get("type") == "integer":
        found = {"minimum": -bound, "maximum": bound - 1} | found
    return found


def _only(schema: Schema, keys: tuple[str, ...]) -> Schema:
    return {key: schema[key] for key in keys if key in schema}


def _properties(schema: Schema, top: bool) -> Schema:
    known = {key: json_schema(sub) for key, sub in schema.get("properties", {}).items()}
    embedded = bool(schema.get("x-kubernetes-embedded-resource"))
    if top or embedded:
        known |= _ENVELOPE
    extra = schema.get("additionalProperties")
    if isinstance(extra, dict):
        extra = json_schema(extra)
    open_ended = embedded or schema.get("x-kubernetes-preserve-unknown-fields")
    if extra is None and schema.get("type") == "object" and not open_ended:
        extra = False
    found: Schema = {"properties": known} if known else {}
    return found if extra is None else found | {"additionalProperties": extra}


def _others(schema: Schema) -> Schema:
    found: Schema = {}
    if "items" in schema:
        found["items"] = json_schema(schema["items"])
    if "not" in schema:
        found["not"] = json_schema(schema["not"])
    for junctor in ("allOf", "anyOf", "oneOf"):
        parts = [json_schema(part) for part in schema.get(junctor, ())]
        # Each part names a few fields; that others are unknown is said once, above.
        closed = [{k: v for k, v in part.items() if k != "additionalProperties"} for part in parts]
        found |= {junctor: closed} if closed else {}
    return found


def with_defaults(schema: Schema, value: Any) -> Any:
    """Return a value without nulls and with the defaults that the API server would add."""
    if isinstance(value, list):
        return [with_defaults(schema.get("items", {}), item) for item in value if item is not None]
    if not isinstance(value, dict):
        return value
    known, extra = schema.get("properties", {}), schema.get("additionalProperties")
    filled = {key: copy.deepcopy(sub["default"]) for key, sub in known.items() if "default" in sub}
    given = {key: item for key, item in value.items() if item is not None}
    rest = extra if isinstance(extra, dict) else {}
    return {
        key: with_defaults(known.get(key, rest), item) for key, item in (filled | given).items()
    }


def parts(schema: Schema, value: Any, path: str = "") -> Iterator[tuple[Schema, Any, str]]:
    """Yield each part of a value with its schema and path, from the top down."""
    yield schema, value, path
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from parts(schema.get("items", {}), item, f"{path}[{index}]")
    if isinstance(value, dict):
        known, extra = schema.get("properties", {}), schema.get("additionalProperties")
        for key, item in value.items():
            sub = known.get(key, extra if isinstance(extra, dict) else None)
            if sub is not None:
                yield from parts(sub, item, f"{path}.{key}")

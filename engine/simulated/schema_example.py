"""`example`: the plainest JSON that fits a schema, the simulated engine's structured output."""

import json
from collections.abc import Mapping
from typing import Any, Final

MAX_ITEMS: Final = 1000  # of an array: no completion has room for more
_MAX_DEPTH: Final = 16  # of a schema that refers to itself
_OPTIONAL_DEPTH: Final = 4  # below it optional properties are left out
_PLAIN: Final = {
    "string": "river", "integer": 7, "number": 0.5, "boolean": True, "null": None
}  # fmt: skip

Schema = Mapping[str, Any]


def example(schema: Schema | None) -> str:
    """Return JSON that fits a schema; without one, an object."""
    return json.dumps({"answer": "river"} if schema is None else _value(schema, schema, 0))


def _value(schema: Any, root: Schema, depth: int) -> Any:
    if not isinstance(schema, Mapping) or depth > _MAX_DEPTH:
        return None
    if "$ref" in schema:
        return _value(_resolve(str(schema["$ref"]), root), root, depth + 1)
    if "const" in schema:
        return schema["const"]
    for choices in ("enum", "anyOf", "oneOf", "allOf"):
        if schema.get(choices):
            first = schema[choices][0]
            return first if choices == "enum" else _value(first, root, depth + 1)
    return _typed(schema, root, depth)


def _typed(schema: Schema, root: Schema, depth: int) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        properties = schema.get("properties", {})
        names = schema.get("required", ()) if depth >= _OPTIONAL_DEPTH else properties
        return {k: _value(v, root, depth + 1) for k, v in properties.items() if k in names}
    if kind == "array":
        count = min(MAX_ITEMS, max(1, schema.get("minItems", 1))) if depth < _MAX_DEPTH else 0
        return [_value(schema.get("items", {}), root, depth + 1) for _ in range(count)]
    if kind in ("integer", "number"):
        return max(_PLAIN[kind], schema.get("minimum", 0))
    return _PLAIN.get(kind)


def _resolve(ref: str, root: Schema) -> Any:
    found: Any = root
    for part in ref.removeprefix("#").strip("/").split("/"):
        found = found.get(part, {}) if isinstance(found, Mapping) and part else found
    return found

"""Values that a model wrote as text, by the types that the schema of the arguments declares."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

from gateway.parsing.tool_calls.python_literal import literal_to_json

DEEPEST: Final = 8
NAMES: Final = {
    str: "string", bool: "boolean", int: "integer", float: "number", list: "array",
    dict: "object", type(None): "null",
}  # fmt: skip


def declared_arguments(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schemas of the arguments by their names."""
    properties = schema.get("properties")
    return properties if isinstance(properties, Mapping) else {}


def argument_types(schema: Mapping[str, Any], key: str) -> frozenset[str]:
    """Return the JSON types that an argument may have; `string` where the schema says nothing."""
    declared = declared_arguments(schema).get(key)
    return frozenset(_types(declared, schema, DEEPEST)) or frozenset({"string"})


def typed_json(text: str, types: frozenset[str]) -> str:
    """Return JSON of one of these types, or else of the text itself."""
    wanted = types - {"string"}
    for literal in (text.strip(), literal_to_json(text)):
        with suppress(ValueError, RecursionError):
            if _types_of(json.loads(literal, parse_constant=_refuse)) & wanted:
                return literal
    return json.dumps(text, ensure_ascii=False)


def _types(declared: Any, root: Mapping[str, Any], depth: int) -> Iterator[str]:
    if not isinstance(declared, Mapping) or not depth:
        return
    type_ = declared.get("type")
    yield from (name for name in (_list(type_) or [type_]) if isinstance(name, str))
    yield from (NAMES[type(constant)] for constant in _list(declared.get("enum")))
    if "const" in declared:
        yield NAMES[type(declared["const"])]
    for keyword in ("anyOf", "oneOf", "allOf"):
        for choice in _list(declared.get(keyword)):
            yield from _types(choice, root, depth - 1)
    if "$ref" in declared:
        yield from _types(_resolve(declared["$ref"], root), root, depth - 1)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _resolve(reference: Any, root: Mapping[str, Any]) -> Any:
    """Return the part of a schema that a reference within it names; None if there is none."""
    found: Any = root
    for name in str(reference).removeprefix("#/").split("/"):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _types_of(value: Any) -> set[str]:
    """Return the types of a value; a whole number is of two."""
    whole = isinstance(value, float) and value.is_integer()
    names = {NAMES[type(value)]} | ({"integer"} if whole else set())
    return names | ({"number"} if "integer" in names else set())

"""Values of resources: generated where a real provider would compute them."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import msgpack
from tf.gen import tfplugin_pb2 as pb

from tests.deploy.schema_server.schema import Block

UNKNOWN = msgpack.ExtType(0, b"\x00")
# What is done to an attribute: its schema, its value, and its path, as ".name.0.inner".
Change = Callable[[dict[str, Any], Any, str], Any]


def seed_of(kind: str, config: Any) -> str:
    """Return a seed of a configuration: equal ones get equal generated values."""
    return kind + json.dumps(config, default=str, sort_keys=True)


def invent(kind: Any, path: str, seed: str) -> Any:
    """Return a generated value of a type for the attribute at a path."""
    if kind == "string":
        parts = path.rsplit(".", 2)
        leaf = ".".join(parts[-2:]) if parts[-1].isdigit() else parts[-1]
        return _string(leaf, hashlib.sha1((seed + path).encode()).hexdigest())
    if kind in ("number", "bool", "dynamic"):
        return {"number": 1, "bool": False, "dynamic": None}[kind]
    if kind[0] in ("list", "set"):
        size = 1 if isinstance(kind[1], list) and kind[1][0] == "object" else 3
        return [invent(kind[1], f"{path}.{index}", seed) for index in range(size)]
    if kind[0] == "object":
        return {key: invent(inner, f"{path}.{key}", seed) for key, inner in kind[1].items()}
    return {}


def _string(leaf: str, digest: str) -> str:
    if leaf in ("names.0", "names.1", "names.2"):  # zones, whose names are checked
        return "us-west-2" + "abc"[int(leaf[-1])]
    if leaf == "arn" or leaf.endswith("_arn"):
        return f"arn:aws:stub:us-west-2:123456789012:{digest[:12]}"
    if leaf in ("endpoint", "issuer", "url"):
        return f"https://{digest[:10]}.stub.invalid"
    return {"data": "c3R1Yg==", "json": "{}"}.get(leaf, f"stub-{digest[:12]}")


def visit(block: Block, value: Any, change: Change, path: str = "") -> Any:
    """Rebuild a value with every attribute changed, in nested blocks too."""
    if not isinstance(value, dict):
        return value
    out = {
        name: change(attribute, value.get(name), f"{path}.{name}")
        for name, attribute in block["attributes"].items()
    }
    for name, sub in block["blocks"].items():
        out[name] = _visit_nested(sub, value.get(name), change, f"{path}.{name}")
    return out


def _visit_nested(sub: dict[str, Any], item: Any, change: Change, path: str) -> Any:
    inner = sub["block"]
    if isinstance(item, list):
        return [visit(inner, one, change, f"{path}.{index}") for index, one in enumerate(item)]
    if isinstance(item, dict) and sub["nesting"] == "map":
        return {key: visit(inner, one, change, f"{path}.{key}") for key, one in item.items()}
    return visit(inner, item, change, path)


def encode(value: Any) -> Any:
    """Encode a value for the protocol."""
    return pb.DynamicValue(msgpack=msgpack.packb(value, use_bin_type=True))


def decode(value: Any) -> Any:
    """Read a value of the protocol."""
    if value.msgpack:
        return msgpack.unpackb(value.msgpack, raw=False, strict_map_key=False)
    return json.loads(value.json) if value.json else None


def is_left_open(attribute: dict[str, Any], value: Any) -> bool:
    """Return whether the provider has to compute this attribute."""
    return value is None and attribute["computed"] and "type" in attribute

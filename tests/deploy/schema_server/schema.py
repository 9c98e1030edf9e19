"""Provider schemas, from the JSON of tests/deploy/schemas to Terraform's protocol."""

import json
from typing import Any

from tf.gen import tfplugin_pb2 as pb

Block = dict[str, Any]
NESTING = {"single": 1, "list": 2, "set": 3, "map": 4}


def message(block: Block) -> Any:
    """Return a block as a message, without types that Terraform would refuse."""
    tame(block)
    return pb.Schema(version=0, block=_block(block))


def _attribute(name: str, attribute: dict[str, Any]) -> Any:
    required = attribute["required"]
    out = pb.Schema.Attribute(
        name=name,
        required=required,
        optional=attribute["optional"] and not required,
        computed=attribute["computed"] and not required,
    )
    if "nested" in attribute:
        out.nested_type.nesting = NESTING[attribute["nested"]["nesting"]]
        inner = attribute["nested"]["attributes"]
        out.nested_type.attributes.extend(_attribute(key, inner[key]) for key in sorted(inner))
    else:
        out.type = json.dumps(attribute["type"]).encode()
    return out


def _block(block: Block) -> Any:
    out = pb.Schema.Block(version=0)
    out.attributes.extend(_attribute(*item) for item in sorted(block["attributes"].items()))
    for name, sub in sorted(block["blocks"].items()):
        nested = out.block_types.add(
            type_name=name,
            nesting=NESTING[sub["nesting"]],
            min_items=sub.get("min", 0),
            max_items=sub.get("max", 0),
        )
        nested.block.CopyFrom(_block(sub["block"]))
    return out


def _without_dynamic(kind: Any) -> Any:
    if kind == "dynamic":
        return "string"
    if not isinstance(kind, list):
        return kind
    inner = kind[1]
    if isinstance(inner, dict):
        return [kind[0], {key: _without_dynamic(value) for key, value in inner.items()}]
    return [kind[0], _without_dynamic(inner)]


def tame(block: Block, in_collection: bool = False) -> None:
    """Replace the dynamic type by string in collections, where Terraform refuses it."""
    for attribute in block["attributes"].values():
        _tame_attribute(attribute, in_collection)
    for sub in block["blocks"].values():
        tame(sub["block"], in_collection or sub["nesting"] != "single")


def _tame_attribute(attribute: dict[str, Any], in_collection: bool) -> None:
    if attribute.get("type") == ["map", "dynamic"] and not in_collection:
        attribute["type"] = "dynamic"  # how the schemas write an argument of free form
    elif "type" in attribute and (in_collection or isinstance(attribute["type"], list)):
        attribute["type"] = _without_dynamic(attribute["type"])
    if "nested" in attribute:
        nested = attribute["nested"]
        deeper = in_collection or nested["nesting"] != "single"
        tame({"attributes": nested["attributes"], "blocks": {}}, deeper)

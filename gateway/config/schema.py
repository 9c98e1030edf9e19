"""The JSON Schema of the config file, for editors and `neuron-gateway check --schema`."""

from typing import Any, Final

from gateway.config.file import APPLICATION_KEYS, FILE_KEYS, IMPORT_PATH
from gateway.config.models import AppConfig

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_RAY_KEY: Final = {
    "description": "A key of Ray Serve: https://docs.ray.io/en/latest/serve/production-guide/config.html"
}


def config_schema() -> dict[str, Any]:
    """Return the schema of a Ray Serve config file whose `args:` are the gateway's.

    Keys of Ray Serve are known by name only. A misspelt key is an error everywhere.
    """
    args = AppConfig.model_json_schema()
    definitions = args.pop("$defs")
    for definition in definitions.values():
        if "kind" in definition.get(
            "properties", ()
        ):  # selects a device, so it has no default in a file
            definition["required"] = sorted({*definition.get("required", ()), "kind"})
    application = _closed(
        APPLICATION_KEYS,
        args={"anyOf": [{"$ref": "#/$defs/AppConfig"}, {"type": "null"}]},
        import_path={"const": IMPORT_PATH, "description": "The application of the gateway."},
    )
    application["required"] = ["import_path"]
    applications = {"type": "array", "minItems": 1, "maxItems": 1, "items": application}
    return {
        "$schema": DIALECT,
        "title": "Ray Serve config file of neuron-gateway",
        **_closed(FILE_KEYS, applications=applications),
        "required": ["applications"],
        "$defs": {"AppConfig": args, **definitions},
    }


def _closed(ray_keys: frozenset[str], **typed: dict[str, Any]) -> dict[str, Any]:
    properties = dict.fromkeys(sorted(ray_keys), _RAY_KEY) | typed
    return {"type": "object", "additionalProperties": False, "properties": properties}

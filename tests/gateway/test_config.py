"""The JSON Schema of the config file."""

import math
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator, ValidationError
from typer.testing import CliRunner

from gateway.commands.main import app
from gateway.config import (
    AppConfig,
    ConfigError,
    Cors,
    Limits,
    ModelConfig,
    Replicas,
    load_config,
    parse_config,
)
from gateway.config.schema import config_schema

ROOT = Path(__file__).parents[2]
SERVE_FILES = [
    *(ROOT / "deploy" / "serve").glob("*.yaml"),
    *(ROOT / "deploy" / "k8s" / "overlays").glob("*/config/serve.yaml"),
    *(file for file in (ROOT / "benchmarks" / "servers").glob("*.yaml") if file.stem != "keys"),
]


def validate(document: Any) -> None:
    Draft202012Validator(config_schema()).validate(document)


def simulated() -> Any:
    return yaml.safe_load((ROOT / "deploy" / "serve" / "simulated.yaml").read_text("utf-8"))


def test_it_is_a_valid_schema_of_its_draft() -> None:
    Draft202012Validator.check_schema(config_schema())


@pytest.mark.parametrize("file", SERVE_FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_the_schema_accepts_every_file_that_the_gateway_accepts(file: Path) -> None:
    load_config(file)
    validate(yaml.safe_load(file.read_text("utf-8")))


@pytest.mark.parametrize(
    "path",
    [
        (),
        ("applications", 0),
        ("applications", 0, "args"),
        ("applications", 0, "args", "limits"),
        ("applications", 0, "args", "models", 0),
        ("applications", 0, "args", "models", 0, "engine"),
        ("applications", 0, "args", "models", 0, "engine", "device"),
    ],
)
def test_a_misspelt_key_is_an_error_at_every_level(path: tuple[str | int, ...]) -> None:
    document = simulated()
    section = document
    for key in path:
        section = section[key]
    section["mispelt"] = 1
    with pytest.raises(ValidationError, match=r"'mispelt' was unexpected|not valid under"):
        validate(document)


def test_a_device_needs_its_kind() -> None:
    document = simulated()
    del document["applications"][0]["args"]["models"][0]["engine"]["device"]["kind"]
    with pytest.raises(ValidationError):
        validate(document)


def test_another_application_is_an_error() -> None:
    document = simulated()
    document["applications"][0]["import_path"] = "elsewhere:app"
    with pytest.raises(ValidationError):
        validate(document)


NUMBERS = {"integer", "number"}
BOUNDS = {"maximum", "exclusiveMaximum", "enum", "const"}
NEURON = {"kind": "neuron", "instance": "inf2.8xlarge", "tensor_parallel_size": 2}
# Where each model with numbers is in `args:`, and a device that it needs there.
PLACES: dict[str, tuple[tuple[str | int, ...], dict[str, Any]]] = {
    "AppConfig": ((), {"kind": "simulated"}),
    "Limits": (("limits",), {"kind": "simulated"}),
    "ModelConfig": (("models", 0), {"kind": "simulated"}),
    "Replicas": (("models", 0, "replicas"), {"kind": "simulated"}),
    "EngineConfig": (("models", 0, "engine"), {"kind": "simulated"}),
    "Cpu": (("models", 0, "engine", "device"), {"kind": "cpu"}),
    "Simulated": (("models", 0, "engine", "device"), {"kind": "simulated"}),
    "Faults": (("models", 0, "engine", "device", "faults"), {"kind": "simulated"}),
    "Neuron": (("models", 0, "engine", "device"), NEURON),
    "SamplingClass": (("models", 0, "engine", "device", "sampling_class"), NEURON),
}


def numbers(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the schemas of the numbers that a key's value can be or hold."""
    inner = [*schema.get("anyOf", ()), schema.get("items", {})]
    found = [schema] if schema.get("type") in NUMBERS else []
    return found + [number for part in inner if part for number in numbers(part)]


NUMERIC_KEYS = [
    (model, key, schema)
    for model, definition in config_schema()["$defs"].items()
    for key, schema in definition.get("properties", {}).items()
    if numbers(schema)
]


def test_every_number_has_an_upper_bound() -> None:
    unbounded = [
        f"{model}.{key}"
        for model, key, schema in NUMERIC_KEYS
        if not all(number.keys() & BOUNDS for number in numbers(schema))
    ]
    # A validator has their bounds.
    assert unbounded == ["ModelConfig.replicas", "Neuron.tensor_parallel_size"]


@pytest.mark.parametrize(
    "value", [math.inf, -math.inf, math.nan, 1e300, 10**300], ids="{:.0e}".format
)
@pytest.mark.parametrize(
    ("model", "key", "schema"),
    NUMERIC_KEYS,
    ids=[f"{model}.{key}" for model, key, _ in NUMERIC_KEYS],
)
def test_a_number_that_is_not_finite_or_too_large_is_an_error_that_names_its_key(
    model: str, key: str, schema: dict[str, Any], value: float
) -> None:
    path, device = PLACES[model]
    args: Any = {"models": [{"id": "m", "engine": {"device": dict(device)}}]}
    section = args
    for step in path:
        section = section.setdefault(step, {}) if isinstance(step, str) else section[step]
    in_list = any(part.get("type") == "array" for part in schema.get("anyOf", ()))
    section[key] = [value] if in_list else value
    with pytest.raises(ConfigError, match=rf"\b{key}\b"):
        parse_config(args, "test")


@pytest.mark.parametrize("key", ["applications:", "limits:", "id: twice"])
def test_a_key_that_is_given_twice_is_an_error_at_every_level(tmp_path: Path, key: str) -> None:
    file = tmp_path / "gateway.yaml"
    text = (
        "applications:\n- import_path: gateway.serving.ray_app:build_app\n  args:\n"
        "    limits:\n      max_queued: 1\n    models:\n    - id: twice\n"
    )
    line = next(line for line in text.splitlines() if key in line)
    file.write_text(text.replace(line, f"{line}\n{line.replace('- ', '  ')}"))
    result = CliRunner().invoke(app, ["check", str(file)])
    assert result.exit_code == 2
    assert re.search(rf"at line \d: {key.partition(':')[0]} is given twice", result.stderr)


def test_an_infinite_limit_is_refused_before_anything_starts(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    document = simulated()
    document["applications"][0]["args"]["limits"] = {"max_request_seconds": math.inf}
    file.write_text(yaml.safe_dump(document))
    for command in ("check", "serve"):
        result = CliRunner().invoke(app, [command, str(file)])
        assert result.exit_code == 2
        assert "limits.max_request_seconds: Input should be" in result.stderr


def test_every_key_of_the_gateway_has_a_description() -> None:
    definitions = config_schema()["$defs"]
    missing = [
        f"{model.__name__}.{key}"
        for model in (AppConfig, ModelConfig, Replicas, Limits, Cors)
        for key, field in definitions[model.__name__]["properties"].items()
        if not field.get("description")
    ]
    assert missing == []

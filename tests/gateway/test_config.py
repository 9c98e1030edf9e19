"""The JSON Schema of the config file."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator, ValidationError

from gateway.config import AppConfig, Cors, Limits, ModelConfig, Replicas, load_config
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


def test_every_key_of_the_gateway_has_a_description() -> None:
    definitions = config_schema()["$defs"]
    missing = [
        f"{model.__name__}.{key}"
        for model in (AppConfig, ModelConfig, Replicas, Limits, Cors)
        for key, field in definitions[model.__name__]["properties"].items()
        if not field.get("description")
    ]
    assert missing == []

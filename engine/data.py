"""`read_data`: the tables that packages of the engine keep in YAML files beside their code."""

from importlib.resources import files
from typing import TypeVar

import yaml
from pydantic import ConfigDict, TypeAdapter

T = TypeVar("T")


def read_data(file: str, type_: type[T]) -> T:
    """Return a YAML file below `engine/` as a type; raise ValidationError where it does not fit."""
    text = (files("engine") / file).read_text("utf-8")
    adapter = TypeAdapter(type_, config=ConfigDict(extra="forbid"))
    return adapter.validate_python(yaml.safe_load(text))

"""`AppConfig`: the `args:` of a Ray Serve config file. The only reader of files and environment."""

import os
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from engine import EngineConfig

IMPORT_PATH = "gateway.serve:build_app"


class ConfigError(Exception):
    """A config that cannot be used; the message names the key and the fix."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelConfig(_Frozen):
    """One served model: the name clients ask for, and the engine behind it."""

    id: str = Field(min_length=1, max_length=200)
    engine: EngineConfig = EngineConfig()


class Limits(_Frozen):
    """Bounds of one request and of the queue; times in seconds, sizes in bytes."""

    max_queued: int = Field(default=64, ge=0)
    first_delta_seconds: float = Field(default=10.0, gt=0)
    ping_seconds: float = Field(default=15.0, gt=0)
    max_seconds: float = Field(default=600.0, gt=0)
    max_body_bytes: int = Field(default=4 * 2**20, ge=1024)
    send_timeout_seconds: float = Field(default=30.0, gt=0)


class AppConfig(_Frozen):
    """The whole gateway.

    `proxy: haproxy` streams about twice the chunks of Serve's Python proxy (`python`).
    """

    models: tuple[ModelConfig, ...] = (ModelConfig(id="smollm2-135m-instruct"),)
    limits: Limits = Limits()
    proxy: Literal["haproxy", "python"] = "haproxy"

    @model_validator(mode="after")
    def _one_model(self) -> "AppConfig":
        if len(self.models) != 1:
            raise ValueError("models: exactly one model per app is served now; list one")
        return self

    @property
    def max_ongoing_requests(self) -> int:
        """How many requests Serve may hand to one replica: its slots and its queue."""
        return self.models[0].engine.max_num_seqs + self.limits.max_queued


def cache_folder() -> Path:
    """Give the folder for converted models, by the XDG rules."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "neuron-gateway" / "models"


def load_config(path: Path | None) -> AppConfig:
    """Read the config from a Ray Serve file; without a file, the CPU default.

    Raises ConfigError with the key and the fix.
    """
    if path is None:
        return AppConfig()
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}). Give a readable file."
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = getattr(error, "problem_mark", None)
        line = f" at line {where.line + 1}" if where else ""
        raise ConfigError(f"{path}: is not valid YAML{line}. Mend the syntax.") from None
    return parse_config(_args(document, path), str(path))


def parse_config(args: Any, source: str) -> AppConfig:
    """Validate `args:`; raises ConfigError that names the first key that is wrong."""
    try:
        return AppConfig.model_validate(args)
    except ValidationError as error:
        raise ConfigError(f"{source}: {_sentence(error)}") from None


def _args(document: Any, path: Path) -> Any:
    applications = document.get("applications") if isinstance(document, dict) else None
    if not isinstance(applications, list) or len(applications) != 1:
        raise ConfigError(f"{path}: applications must be a list with one application.")
    application = applications[0]
    if not isinstance(application, dict) or application.get("import_path") != IMPORT_PATH:
        raise ConfigError(f"{path}: applications[0].import_path must be {IMPORT_PATH}.")
    return application.get("args") or {}


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"] if part not in ("cpu", "simulated")) or "args"
    if first["type"] == "extra_forbidden":
        return f"{key} is not a known key. Remove it or correct its spelling."
    return f"{key}: {first['msg'].removeprefix('Value error, ')}."

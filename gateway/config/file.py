"""Load a Ray Serve config file and validate its `args:`."""

from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from gateway.config.models import AppConfig

IMPORT_PATH: Final = "gateway.serving.ray_app:build_app"
# Ray Serve's config file, version 2.60. A test compares these with Ray's own models.
FILE_KEYS: Final = frozenset({
    "applications", "controller_options", "grpc_options", "http_options", "logging_config",
    "proxy_location", "target_capacity", "tracing_config",
})  # fmt: skip
APPLICATION_KEYS: Final = frozenset({
    "args", "autoscaling_policy", "deployments", "external_scaler_enabled", "host", "import_path",
    "logging_config", "name", "port", "route_prefix", "runtime_env",
})  # fmt: skip
# pydantic puts the chosen member of a union into an error's location; it is no key of the file.
_UNION_MEMBERS: Final = ("cpu", "neuron", "simulated", "Replicas", "int")


class ConfigError(Exception):
    """A config that cannot be used; the message names the key and the fix."""


def load_config(path: Path | None) -> AppConfig:
    """Read the config from a Ray Serve file; without a file, return the defaults.

    Raises ConfigError.
    """
    if path is None:
        return AppConfig()
    return parse_config(_args(read_yaml(path, "Give a readable file."), path), str(path))


class _Loader(yaml.SafeLoader):
    """PyYAML's loader, which would drop all but the last value of a key that comes twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        if twice := next((key for key in keys if keys.count(key) > 1), None):
            raise yaml.MarkedYAMLError(None, None, f"{twice} is given twice", node.start_mark)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path, fix: str) -> Any:
    """Return a YAML document; raise ConfigError, with `fix` where there is no file."""
    try:
        return yaml.load(path.read_text("utf-8"), _Loader)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}). {fix}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        where = f" at line {mark.line + 1}: {problem}" if mark else ""
        raise ConfigError(f"{path}: is not valid YAML{where}. Correct the syntax.") from None


def parse_config(args: Any, source: str) -> AppConfig:
    """Validate `args:`. Raises ConfigError that names `source` and a wrong key."""
    try:
        return AppConfig.model_validate(args)
    except ValidationError as error:
        raise ConfigError(f"{source}: {describe(error, 'args')}") from None


def _args(document: Any, path: Path) -> Any:
    applications = document.get("applications") if isinstance(document, dict) else None
    if not isinstance(applications, list) or len(applications) != 1:
        raise ConfigError(f"{path}: applications must be a list with one application.")
    application = applications[0]
    _require_known(document, FILE_KEYS, path, "")
    _require_known(application, APPLICATION_KEYS, path, "applications[0].")
    if not isinstance(application, dict) or application.get("import_path") != IMPORT_PATH:
        raise ConfigError(f"{path}: applications[0].import_path must be {IMPORT_PATH}.")
    return application.get("args") or {}


def _require_known(section: Any, known: frozenset[str], path: Path, prefix: str) -> None:
    """Raise ConfigError for a key that Ray Serve would ignore."""
    keys = section if isinstance(section, dict) else ()
    if unknown := sorted(str(key) for key in keys if key not in known):
        raise ConfigError(
            f"{path}: {prefix}{unknown[0]} is not a known key. Remove it or correct its spelling."
        )


def describe(error: ValidationError, root: str) -> str:
    """Return a sentence with the key that is wrong; `root` is the name of the whole document."""
    first = max(error.errors(), key=lambda finding: len(finding["loc"]))  # a union's own is shorter
    parts = [str(part) for part in first["loc"] if part not in _UNION_MEMBERS]
    parts += [first["ctx"]["key"]] if "key" in first.get("ctx", {}) else []
    key = ".".join(parts) or root
    if first["type"] == "extra_forbidden":
        return f"{key} is not a known key. Remove it or correct its spelling."
    return f"{key}: {first['msg'].removeprefix('Value error, ')}."

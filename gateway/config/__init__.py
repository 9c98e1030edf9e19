"""The configuration of the gateway: models, file loading, JSON schema and reference.

`models` holds the pydantic models of the file's `args:`, `file` reads and validates a Ray Serve
config file. Import both from this package. `schema` (the JSON schema of the file) and `reference`
(the tables in gateway/README.md) are imported by their own names.
"""

from gateway.config.file import (
    APPLICATION_KEYS,
    FILE_KEYS,
    IMPORT_PATH,
    ConfigError,
    describe,
    load_config,
    parse_config,
    read_yaml,
)
from gateway.config.models import AppConfig, Cors, Limits, ModelConfig, ReasoningStyle, Replicas

__all__ = [
    "APPLICATION_KEYS", "FILE_KEYS", "IMPORT_PATH", "AppConfig", "ConfigError", "Cors",
    "Limits", "ModelConfig", "ReasoningStyle", "Replicas", "describe", "load_config",
    "parse_config", "read_yaml",
]  # fmt: skip

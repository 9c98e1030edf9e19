"""`AppConfig`: the `args:` of a Ray Serve config file. Read once, frozen."""

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from engine import EngineConfig

ReasoningStyle = Literal["think", "think_begun"]
IMPORT_PATH = "gateway.serving.ray_app:build_app"


# An origin has neither path nor slash at its end; one that has would match no browser's.
_ORIGIN = r"^(\*|https?://[^/\s]+)$"


class ConfigError(Exception):
    """A config that cannot be used; the message names the key and the fix."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Replicas(_Frozen):
    """How many replicas a model has, by the requests that are open; delays in seconds.

    `min: 0` scales to nothing; the next request waits for a replica. `target_ongoing_requests` for
    each replica is by default 0.7 of its slots.
    """

    min: int = Field(default=1, ge=0)
    max: int = Field(default=1, ge=1)
    initial: int | None = Field(default=None, ge=0)
    target_ongoing_requests: float | None = Field(default=None, gt=0)
    upscale_delay_seconds: float = Field(default=30.0, ge=0)
    downscale_delay_seconds: float = Field(default=600.0, ge=0)

    @model_validator(mode="after")
    def _in_order(self) -> "Replicas":
        if self.min > self.max:
            raise PydanticCustomError(
                "replicas", "must not be above max, {max}", {"max": self.max, "key": "min"}
            )
        return self


class ModelConfig(_Frozen):
    """One served model: the name clients ask for, and the engine behind it.

    `aliases` are other names for it.

    `tool_parser` is the form in which the model writes tool calls; None goes by its family.
    `reasoning: think` finds `<think>` sections; `think_begun` is for models whose chat template
    writes the `<think>` itself.
    """

    id: str = Field(min_length=1, max_length=200)
    engine: EngineConfig = EngineConfig()
    aliases: tuple[str, ...] = ()
    replicas: int | Replicas = Field(default=1)
    tool_parser: Literal["llama3_json", "hermes", "mistral", "plain_json"] | None = None
    reasoning: ReasoningStyle | None = None

    @field_validator("replicas")
    @classmethod
    def _is_some(cls, replicas: int | Replicas) -> int | Replicas:
        if isinstance(replicas, int) and replicas < 1:
            raise PydanticCustomError("replicas", "must be at least 1; give {min: 0} for none")
        return replicas

    @property
    def scales_to_zero(self) -> bool:
        """Whether there may be no replica at all."""
        return not isinstance(self.replicas, int) and self.replicas.min == 0

    def scaling(self) -> dict[str, Any]:
        """Give Serve's options for the number of replicas."""
        if isinstance(self.replicas, int):
            return {"num_replicas": self.replicas}
        target = self.replicas.target_ongoing_requests or 0.7 * self.engine.max_num_seqs
        return {
            "autoscaling_config": {
                "min_replicas": self.replicas.min,
                "max_replicas": self.replicas.max,
                "initial_replicas": self.replicas.initial,
                "target_ongoing_requests": target,
                "upscale_delay_s": self.replicas.upscale_delay_seconds,
                "downscale_delay_s": self.replicas.downscale_delay_seconds,
            }
        }


class Limits(_Frozen):
    """Bounds of one request and of the queue of each model; times in seconds, sizes in bytes.

    `engine_queue_depth` more requests than there are slots are given to the engine, so that a slot that
    is free finds its next prompt there. `stream_open_timeout_seconds` is how long a stream waits with its
    status line, `ttft_timeout_seconds` when a request fails for want of a token. With two hops
    `failover_timeout_seconds` is how long a request whose replica died is tried elsewhere, and
    `coalescing_window_seconds` how far apart its deltas are. `rate_limit_storage` keeps
    the counters of API keys: `memory`, for each replica, or the URL of a Redis that they share.
    """

    engine_queue_depth: int = Field(default=2, ge=0)
    max_queued: int = Field(default=64, ge=0)
    queue_timeout_seconds: float = Field(default=30.0, gt=0)
    ttft_timeout_seconds: float = Field(default=120.0, gt=0)
    inter_token_timeout_seconds: float = Field(default=60.0, gt=0)
    stream_open_timeout_seconds: float = Field(default=10.0, gt=0)
    ping_interval_seconds: float = Field(default=15.0, gt=0)
    max_request_seconds: float = Field(default=600.0, gt=0)
    max_body_bytes: int = Field(default=4 * 2**20, ge=1024)
    send_timeout_seconds: float = Field(default=30.0, gt=0)
    failover_timeout_seconds: float = Field(default=30.0, ge=0)
    coalescing_window_seconds: float = Field(default=0.02, ge=0, le=1)
    rate_limit_storage: str = Field(
        default="memory", pattern=r"^(memory|(redis|rediss|valkey)://\S+)$"
    )


class Cors(_Frozen):
    """Origins whose pages may call the gateway, `*` for all; by default none."""

    allow_origins: tuple[Annotated[str, Field(pattern=_ORIGIN)], ...] = ()


class AppConfig(_Frozen):
    """The whole gateway. `keys_file` names the hashes of API keys; without it anyone may call.

    `otlp_endpoint` is the OpenTelemetry collector that traces go to, by default that of the
    environment (OTEL_EXPORTER_OTLP_ENDPOINT).
    `topology: auto` is one hop for one model and two for several: an ingress, and a deployment for
    each model. Two with one model cost latency, and let streams outlive a replica; they are also
    what a model that may have no replica needs.
    `proxy: haproxy` streams about twice the chunks of Serve's Python proxy (`python`).
    """

    models: tuple[ModelConfig, ...] = (ModelConfig(id="smollm2-135m-instruct"),)
    limits: Limits = Limits()
    cors: Cors = Cors()
    keys_file: str | None = None
    otlp_endpoint: str | None = Field(default=None, pattern=r"^https?://\S+$")
    topology: Literal["auto", "one-hop", "two-hops"] = "auto"
    ingress_replicas: int = Field(default=1, ge=1)
    proxy: Literal["haproxy", "python"] = "haproxy"
    docs: bool = True

    @model_validator(mode="after")
    def _fits(self) -> "AppConfig":
        if not self.models:
            raise ValueError("models: there is none; list one at least")
        names = [name for model in self.models for name in (model.id, *model.aliases)]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"models: {twice} is the name of two; give each a name of its own")
        if self.topology == "one-hop" and len(self.models) > 1:
            raise ValueError("topology: one-hop serves one model; say auto, or list one")
        return self

    @property
    def hops(self) -> int:
        """How many deployments a token passes under Ray Serve."""
        several = len(self.models) > 1 or any(model.scales_to_zero for model in self.models)
        return 2 if self.topology == "two-hops" or (self.topology == "auto" and several) else 1

    def most_at_once(self, model: ModelConfig) -> int:
        """How many requests a replica of a model serves and lets wait: places and queue."""
        return model.engine.max_num_seqs + self.limits.engine_queue_depth + self.limits.max_queued


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
    _require_known(document, FILE_KEYS, path, "")
    _require_known(application, APPLICATION_KEYS, path, "applications[0].")
    if not isinstance(application, dict) or application.get("import_path") != IMPORT_PATH:
        raise ConfigError(f"{path}: applications[0].import_path must be {IMPORT_PATH}.")
    return application.get("args") or {}


def _require_known(part: Any, known: frozenset[str], path: Path, prefix: str) -> None:
    """Refuse a key that Ray Serve would ignore in silence."""
    unknown = sorted(str(key) for key in part if key not in known) if isinstance(part, dict) else []
    if unknown:
        raise ConfigError(
            f"{path}: {prefix}{unknown[0]} is not a known key. Remove it or correct its spelling."
        )


# Of Ray Serve's config file, version 2.60.
FILE_KEYS = frozenset(
    {
        "applications", "controller_options", "grpc_options", "http_options", "logging_config",
        "proxy_location", "target_capacity", "tracing_config",
    }
)  # fmt: skip
APPLICATION_KEYS = frozenset(
    {
        "args", "autoscaling_policy", "deployments", "external_scaler_enabled", "host",
        "import_path", "logging_config", "name", "port", "route_prefix", "runtime_env",
    }
)  # fmt: skip


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    parts = [str(part) for part in first["loc"] if part not in DEVICE_KINDS]
    parts += [first["ctx"]["key"]] if "key" in first.get("ctx", {}) else []
    key = ".".join(parts) or "args"
    if first["type"] == "extra_forbidden":
        return f"{key} is not a known key. Remove it or correct its spelling."
    return f"{key}: {first['msg'].removeprefix('Value error, ')}."


# pydantic puts the member of a union into the location; it is no key.
DEVICE_KINDS = ("cpu", "neuron", "simulated", "Replicas", "int")

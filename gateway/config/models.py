"""`AppConfig`: the `args:` of a Ray Serve config file. Frozen."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from engine import ConfigModel, EngineConfig, Seconds
from gateway.caller import OverContext, Reported
from gateway.parsing.tool_calls import FAMILIES

ReasoningStyle = Literal["think", "think_begun"]
ToolRendering = Literal["template", "gateway", "off"]


def _known_tool_parser(name: str) -> str:
    if name not in FAMILIES:
        known = ", ".join(FAMILIES)
        raise PydanticCustomError("tool_parser", "must be one of {known}", {"known": known})
    return name


ToolParser = Annotated[
    str, AfterValidator(_known_tool_parser), Field(json_schema_extra={"enum": list(FAMILIES)})
]
# A browser sends an origin without a path and without a slash at its end.
Origin = Annotated[str, Field(pattern=r"^(\*|https?://[^/\s]+)$")]


class Replicas(ConfigModel):
    """Autoscaling of a model by the number of its ongoing requests."""

    min: int = Field(default=1, ge=0, le=10_000)
    """Fewest replicas. 0 scales to zero; the next request then waits for a start."""
    max: int = Field(default=1, ge=1, le=10_000)
    """Most replicas."""
    initial: int | None = Field(default=None, ge=0, le=10_000)
    """Replicas at the start of the application. Default: `min`."""
    target_ongoing_requests: float | None = Field(default=None, gt=0, le=1e6)
    """Requests per replica that autoscaling aims at. Default: 0.7 of the engine's slots."""
    upscale_delay_seconds: Seconds = Field(default=30.0, ge=0)
    """How long demand must stay high before replicas are added."""
    downscale_delay_seconds: Seconds = Field(default=600.0, ge=0)
    """How long demand must stay low before replicas are removed."""

    @model_validator(mode="after")
    def _min_not_above_max(self) -> "Replicas":
        if self.min > self.max:
            raise PydanticCustomError(
                "replicas", "must not be above max, {max}", {"max": self.max, "key": "min"}
            )
        return self


class ModelConfig(ConfigModel):
    """One served model: the name clients ask for, and the engine behind it."""

    id: str = Field(min_length=1, max_length=200)
    """Name of the model in requests and in `GET /v1/models`."""
    engine: EngineConfig = EngineConfig()
    """The engine that runs the model."""
    aliases: tuple[str, ...] = ()
    """Other names under which clients may ask for the model."""
    replicas: int | Replicas = 1
    """Number of replicas, or the bounds of autoscaling."""
    tool_parser: ToolParser | None = None
    """Format in which the model writes tool calls. Default: that of the model's family, from its
    config.json."""
    tools: ToolRendering | None = None
    """Who writes the functions of a request into the prompt. `template`: the model's chat template.
    `gateway`: a text in the format of `tool_parser`. `off`: requests with tools are refused.
    Default: the template where it reads tools, else the gateway."""
    reasoning: ReasoningStyle | None = None
    """How the model marks its reasoning. `think`: between `<think>` and `</think>`. `think_begun`:
    the chat template writes the `<think>`. Default: the output has no reasoning."""

    @field_validator("replicas")
    @classmethod
    def _at_least_one(cls, replicas: int | Replicas) -> int | Replicas:
        if isinstance(replicas, int) and not 1 <= replicas <= 10_000:
            raise PydanticCustomError("replicas", "must be from 1 to 10000; give {min: 0} for none")
        return replicas

    @property
    def scales_to_zero(self) -> bool:
        """Whether there may be no replica at all."""
        return not isinstance(self.replicas, int) and self.replicas.min == 0

    def scaling(self) -> dict[str, Any]:
        """Return Ray Serve's deployment options for the number of replicas."""
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


class Limits(ConfigModel):
    """Limits of a request, and of the queue in front of each replica's engine."""

    engine_queue_depth: int = Field(default=2, ge=0, le=10_000)
    """Requests handed to the engine beyond its slots, so that a slot that becomes free has its next
    prompt at once."""
    max_queued: int = Field(default=64, ge=0, le=10**6)
    """Requests that may wait in the gateway for the engine; more are answered with 429."""
    queue_timeout_seconds: Seconds = Field(default=30.0, gt=0)
    """Longest wait in the queue. A request whose predicted wait is longer is answered with 429 at
    once, one that waited longer with 504."""
    ttft_timeout_seconds: Seconds = Field(default=120.0, gt=0)
    """Time limit for the first token, the wait in the queue included."""
    inter_token_timeout_seconds: Seconds = Field(default=60.0, gt=0)
    """Time limit between two tokens. Then the stream ends with an error frame."""
    stream_open_timeout_seconds: Seconds = Field(default=10.0, gt=0)
    """How long a streamed response waits for its first delta before it sends its status line. An
    error within this time has its own HTTP status, a later one is a frame."""
    ping_interval_seconds: Seconds = Field(default=15.0, gt=0)
    """Interval of keep-alive comments in a stream that sends nothing else."""
    max_request_seconds: Seconds = Field(default=600.0, gt=0)
    """Time limit for a whole request. A shutdown or a roll-out waits this long for running
    requests."""
    max_body_bytes: int = Field(default=4 * 2**20, ge=1024, le=10**9)
    """Largest request body; a larger one is answered with 413."""
    max_body_bytes_in_flight: int = Field(default=64 * 2**20, ge=1024, le=10**12)
    """Bytes of all request bodies that are read at the same time; beyond it the answer is 503."""
    send_timeout_seconds: Seconds = Field(default=30.0, gt=0)
    """How long a client may read nothing from its stream before it is disconnected."""
    failover_timeout_seconds: Seconds = Field(default=30.0, ge=0)
    """Two hops: how long a request whose replica died is retried on other replicas."""
    coalescing_window_seconds: float = Field(default=0.02, ge=0, le=1)
    """Two hops: shortest time between two deltas of a stream; tokens in between are merged. 0 sends
    each at once."""
    rate_limit_storage: str = Field(
        default="memory", pattern=r"^(memory|(redis|rediss|valkey)://\S+)$"
    )
    """Where the rate limits of API keys are counted: `memory`, in each replica by itself, or the
    URL of a Redis or Valkey that all replicas share."""


class Cors(ConfigModel):
    """Web pages that may call the gateway from a browser."""

    allow_origins: tuple[Origin, ...] = ()
    """Origins of these pages, such as `https://chat.example`; `*` allows all. Default: none."""


class AppConfig(ConfigModel):
    """The whole gateway: its models, limits and access."""

    models: tuple[ModelConfig, ...] = (ModelConfig(id="smollm2-135m-instruct"),)
    """The served models. Default: SmolLM2-135M-Instruct on the CPU."""
    limits: Limits = Limits()
    """Limits of requests and queues."""
    cors: Cors = Cors()
    """Access for web pages."""
    unknown_fields: Reported = "report"
    """Fields of a request that no endpoint knows. `report`: they are taken without effect and named
    in the response header `x-ignored-fields`, in a metric and in the log. `refuse`: 400. A key may
    have its own."""
    unsupported_hints: Reported = "report"
    """Parameters that only steer, such as `reasoning_effort`, where the model cannot honour them:
    `report` or `refuse`, as above. A key may have its own."""
    max_tokens_over_context: OverContext = "lower"
    """A `max_tokens` that does not fit into the context after the prompt. `lower`: it is lowered to
    what fits, and reported as above. `refuse`: 400. A key may have its own."""
    keys_file: str | None = None
    """File with the hashes of API keys, written by `neuron-gateway keys`. Default: no key is asked
    for, and `neuron-gateway serve` listens on loopback only."""
    otlp_endpoint: str | None = Field(default=None, pattern=r"^https?://\S+$")
    """URL of an OpenTelemetry collector for traces, OTLP over HTTP. Default: that of the
    environment variable `OTEL_EXPORTER_OTLP_ENDPOINT`, else no traces."""
    docs: bool = True
    """Serve the API reference at `/docs` and its schema at `/openapi.json`."""
    topology: Literal["auto", "one-hop", "two-hops"] = "auto"
    """`one-hop`: the engine runs in the replica that serves HTTP, with the lowest latency, for one
    model. `two-hops`: an ingress and a deployment per model, so that streams survive a lost
    replica. `auto`: two hops for several models or for `replicas.min: 0`, else one."""
    ingress_replicas: int = Field(default=1, ge=1, le=10_000)
    """Two hops: number of replicas of the ingress."""
    proxy: Literal["haproxy", "python"] = "haproxy"
    """HTTP proxy of Ray Serve. HAProxy streams about twice as many chunks per second as Serve's
    Python proxy."""

    @model_validator(mode="after")
    def _names_and_topology_agree(self) -> "AppConfig":
        if not self.models:
            raise ValueError("models: the list is empty; give at least one model")
        names = [name for model in self.models for name in (model.id, *model.aliases)]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"models: {twice} is used twice; give each id and alias its own name")
        if self.topology == "one-hop" and len(self.models) > 1:
            raise ValueError("topology: one-hop serves one model; use auto, or list one model")
        return self

    @property
    def hops(self) -> int:
        """How many deployments a token passes under Ray Serve."""
        several = len(self.models) > 1 or any(model.scales_to_zero for model in self.models)
        return 2 if self.topology == "two-hops" or (self.topology == "auto" and several) else 1

    def most_at_once(self, model: ModelConfig) -> int:
        """Return how many requests a replica runs and queues: slots, engine queue and queue."""
        return model.engine.max_num_seqs + self.limits.engine_queue_depth + self.limits.max_queued

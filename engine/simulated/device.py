"""`Simulated`: a virtual accelerator, as arithmetic: latencies, faults and scripted replies."""

from pathlib import Path
from typing import Any, ClassVar, Final, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from engine.device import BaseDevice
from engine.errors import ModelNotAvailable
from engine.host import Host
from engine.neuron.buckets import bucket_of, powers_of_two
from engine.options import ConfigModel, EngineOptions, Seconds, TokenCount
from engine.prompts.renderer import ChatRenderer
from engine.prompts.template import ChatTemplate, plain_template
from engine.simulated.profiles import PROFILES, ProfileName
from engine.types import ModelInfo

DEFAULT_CONTEXT: Final = 4096  # tokens; there is no model with a limit of its own
FIRST_BUCKET: Final = 128


class Faults(ConfigModel):
    """Failures on purpose, each at a token of every request, counted from 0."""

    fail_at_token: int | None = Field(default=None, ge=0, le=10_000_000)
    """The request fails."""
    stall_at_token: int | None = Field(default=None, ge=0, le=10_000_000)
    """The request stalls."""
    die_at_token: int | None = Field(default=None, ge=0, le=10_000_000)
    """The engine dies."""


class Script(ConfigModel):
    """A fixed reply to every prompt that contains a text."""

    when: str = Field(min_length=1)
    """The text in the prompt."""
    reply: str


class Simulated(BaseDevice):
    """A virtual device with static slots and prefill in buckets, as on inf2.

    The default latencies are those of Llama 3.1 8B at tensor parallel degree 8 on inf2.48xlarge, as
    published by Hugging Face in July 2025 (SDK 2.24).
    """

    driver: ClassVar[str] = "engine.simulated.engine:SimulatedEngine"
    reads_model: ClassVar[bool] = False

    kind: Literal["simulated"]
    time_scale: float = Field(default=1.0, ge=0, le=1000)
    """1 is real time, 0 as fast as possible in the same order."""
    profile: ProfileName | None = None
    """Published latencies, for those that the config leaves out."""
    prefill_buckets: tuple[TokenCount, ...] | None = Field(
        default=None,
        description="Compiled prompt lengths in tokens, ascending to `max_model_len`; by default "
        f"powers of two from {FIRST_BUCKET}.",
    )
    prefill_base_ms: float = Field(default=2.0, ge=0, le=1e6)
    """Milliseconds of a prefill."""
    prefill_ms_per_token: float = Field(default=0.07, ge=0, le=1e6)
    """Milliseconds more for each token of its bucket."""
    decode_base_ms: float = Field(default=10.5, ge=0, le=1e6)
    """Milliseconds of a decode step."""
    decode_ms_per_slot: float = Field(default=0.6, ge=0, le=1e6)
    """Milliseconds more for each slot, busy or not."""
    load_seconds: Seconds = Field(default=0.0, ge=0)
    """Seconds that a start takes."""
    faults: Faults = Faults()
    """Failures at a token of every request, counted from 0: `{fail_at_token, stall_at_token,
    die_at_token}`."""
    scripts: tuple[Script, ...] = ()
    """Fixed replies, each `{when, reply}`."""
    unsupported: frozenset[str] = frozenset()
    """Sampling parameters to refuse."""
    template_arguments: frozenset[str] = frozenset()
    """Variables that its plain chat template reads."""
    template: str | None = None
    """Chat template of a real model: its folder, its tokenizer_config.json, or a `.jinja` file. By
    default a plain one."""

    @model_validator(mode="before")
    @classmethod
    def _fill_in_profile(cls, given: Any) -> Any:
        """Fill in the profile's latencies where the config has none."""
        name = given.get("profile") if isinstance(given, dict) else None
        if name not in PROFILES:
            return given  # the field's own validation refuses it
        profile = PROFILES[name]
        return {
            "prefill_base_ms": profile.prefill.base,
            "prefill_ms_per_token": profile.prefill.slope,
            "decode_base_ms": profile.decode.base,
            "decode_ms_per_slot": profile.decode.slope,
        } | given

    @model_validator(mode="after")
    def _buckets_ascend(self) -> "Simulated":
        buckets = self.prefill_buckets
        if buckets is not None and (not buckets or list(buckets) != sorted(set(buckets))):
            raise ValueError("prefill_buckets must ascend, e.g. [128, 512, 2048]")
        return self

    def validate_engine(self, options: EngineOptions) -> None:
        """Raise PydanticCustomError where the last bucket is not the context."""
        length, buckets = options.max_model_len, self.prefill_buckets
        if buckets is not None and length is not None and buckets[-1] != length:
            raise PydanticCustomError(
                "simulated",
                "the last bucket, {last}, must be max_model_len, {length}. Change one of them",
                {"last": buckets[-1], "length": length, "key": "device.prefill_buckets"},
            )

    def context_length(self, options: EngineOptions) -> int:
        """Return the context in tokens."""
        return options.max_model_len or DEFAULT_CONTEXT

    def describe(self, model_id: str, options: EngineOptions) -> ModelInfo:
        """Return the model with its buckets; every draw depends on seed and position alone."""
        length = self.context_length(options)
        return ModelInfo(
            id=model_id,
            max_model_len=length,
            unsupported=self.unsupported,
            buckets=self.buckets(length),
            draws_by_position=True,
        )

    def renderer(self) -> ChatRenderer:
        """Return what renders conversations; raise ModelNotAvailable without the template."""
        path = None if self.template is None else Path(self.template).expanduser()
        plain = plain_template(sorted(self.template_arguments))
        return ChatRenderer(plain if path is None else ChatTemplate.load(path))

    def template_path(self, options: EngineOptions) -> Path | None:  # noqa: ARG002
        """Return the template's folder or file; None for the plain one."""
        return None if self.template is None else Path(self.template).expanduser()

    def host_problem(self, options: EngineOptions, host: Host) -> str | None:  # noqa: ARG002
        """Return that the template is not there."""
        try:
            self.renderer()
        except ModelNotAvailable as error:
            return f"device.template: {error}"
        return None

    def summary(self) -> str:
        """Return the kind and the profile."""
        return self.kind if self.profile is None else f"{self.kind} {self.profile}"

    def buckets(self, max_model_len: int) -> tuple[int, ...]:
        """Return the compiled prompt lengths."""
        return self.prefill_buckets or powers_of_two(FIRST_BUCKET, max_model_len)

    def prefill_seconds(self, prompt_tokens: int, buckets: tuple[int, ...]) -> float:
        """Return the time of one prompt's prefill, padded to the bucket that inf2 would take."""
        bucket = bucket_of(prompt_tokens, buckets)
        return (self.prefill_base_ms + self.prefill_ms_per_token * bucket) / 1000

    def decode_seconds(self, slots: int) -> float:
        """Return the time of one decode step: that of the compiled batch of all slots."""
        return (self.decode_base_ms + self.decode_ms_per_slot * slots) / 1000

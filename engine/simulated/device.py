"""A virtual accelerator: latencies, faults and scripted replies. Pure arithmetic, no clock."""

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from engine.neuron.buckets import bucket_of
from engine.simulated.profiles import PROFILES, ProfileName


class Faults(BaseModel):
    """What goes wrong on purpose; counts are tokens of one request, or requests of the engine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fail_at_token: int | None = Field(default=None, ge=0)
    stall_at_token: int | None = Field(default=None, ge=0)
    die_at_token: int | None = Field(default=None, ge=0)


class Script(BaseModel):
    """A fixed reply for every prompt whose text contains `when`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    when: str = Field(min_length=1)
    reply: str


class Simulated(BaseModel):
    """A virtual device with static slots and bucketed prefill, like inf2's.

    `time_scale` 1 is real time, 0 is as fast as possible in the same order of events. A `profile`
    gives the latencies that the file backends out. The default ones are those of Llama 3.1 8B at
    tensor parallel degree 8 on inf2.48xlarge as published by Hugging Face in July 2025 (SDK 2.24):
    a step of 10.5 + 0.6 ms per slot, 0.07 ms per prefilled token of the bucket. `unsupported` are
    sampling parameters to refuse, `template_arguments` names that its chat template reads.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    driver: ClassVar[str] = "engine.simulated.engine:SimulatedEngine"
    reads_model: ClassVar[bool] = False

    kind: Literal["simulated"]
    time_scale: float = Field(default=1.0, ge=0)
    profile: ProfileName | None = None
    prefill_buckets: tuple[int, ...] | None = None
    prefill_base_ms: float = Field(default=2.0, ge=0)
    prefill_ms_per_token: float = Field(default=0.07, ge=0)
    decode_base_ms: float = Field(default=10.5, ge=0)
    decode_ms_per_slot: float = Field(default=0.6, ge=0)
    load_seconds: float = Field(default=0.0, ge=0)
    faults: Faults = Faults()
    scripts: tuple[Script, ...] = ()
    unsupported: frozenset[str] = frozenset()
    template_arguments: frozenset[str] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _take_the_profile(cls, given: Any) -> Any:
        """Fill in the profile's latencies where none are given."""
        name = given.get("profile") if isinstance(given, dict) else None
        if name not in PROFILES:
            return given  # what is wrong with it others say
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

    def unsupported_parameters(self) -> frozenset[str]:
        """Name the sampling parameters that this device unsupported."""
        return self.unsupported

    def resources(self) -> dict[str, float]:
        """Name the Ray resources of one replica: none."""
        return {}

    def buckets(self, max_model_len: int) -> tuple[int, ...]:
        """Give the compiled prompt lengths, by default powers of two from 128 to the maximum."""
        if self.prefill_buckets is not None:
            return self.prefill_buckets
        powers = (2**n for n in range(7, max_model_len.bit_length()))
        return (*(power for power in powers if power < max_model_len), max_model_len)

    def prefill_seconds(self, prompt_tokens: int, buckets: tuple[int, ...]) -> float:
        """Time one prompt's prefill, padded to its bucket as the Neuron runtime chooses it."""
        bucket = bucket_of(prompt_tokens, buckets)
        return (self.prefill_base_ms + self.prefill_ms_per_token * bucket) / 1000

    def decode_seconds(self, slots: int) -> float:
        """Time one decode step: the compiled batch's, however few slots are busy."""
        return (self.decode_base_ms + self.decode_ms_per_slot * slots) / 1000

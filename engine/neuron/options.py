"""`NeuronOptions`: the keys of a Neuron device, and the lengths and cores that follow from them."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue, ValidationInfo, field_validator

from engine.neuron.buckets import FIRST_CONTEXT, FIRST_GENERATION, powers_of_two
from engine.neuron.capabilities import Sampling
from engine.neuron.catalogue import INSTANCES, PLUGIN_RELEASES, TUNABLE, Instance, PluginRelease
from engine.options import ConfigModel, Seconds, TokenCount


class SamplingClass(ConfigModel):
    """The only sampling that a replica serves where the plugin's sampling rows stay unpatched."""

    temperature: float = Field(default=1.0, ge=0, le=2)
    top_p: float = Field(default=1.0, gt=0, le=1)
    top_k: int = Field(default=0, ge=0, le=10**6)


class NeuronOptions(ConfigModel):
    """The NeuronCores of one engine and what is compiled for them; lengths are in tokens."""

    kind: Literal["neuron"]
    instance: Literal[
        "inf2.xlarge", "inf2.8xlarge", "inf2.24xlarge", "inf2.48xlarge",
        "trn1.2xlarge", "trn1.32xlarge", "trn1n.32xlarge",
    ]  # fmt: skip
    """The instance type. Those of trn1 have the same NeuronCores, in degrees of 1, 2, 8, 16 and 32.
    """
    tensor_parallel_size: int
    """NeuronCores of one engine: 1, 2, 4, 8, 12, 16 or 24."""
    plugin: Literal["0.4.1", "0.5.0", "0.5.3"] = "0.4.1"
    """Line of vLLM's Neuron plugin: 0.4.1 for vLLM 0.13 and Neuron SDK 2.28, 0.5.0 for vLLM 0.16
    and SDK 2.29, 0.5.3 for vLLM 0.16 and SDK 2.30 and 2.31."""
    sampling: Sampling = "on_device"
    """`on_device`, or `cpu`, which honours more parameters and is 2.4 times slower (177 instead of
    426 tokens/s, Hugging Face's figures for Llama 3.1 8B on inf2.48xlarge, in optimum-neuron's
    `benchmark/vllm/chunked-prefill`)."""
    sampling_class: SamplingClass | None = None
    """Serve this one `{temperature, top_p, top_k}` and leave the plugin's sampling rows unpatched.
    """
    max_prompt_length: TokenCount | None = None
    """Longest prompt, by default `max_model_len`. A longer one is a 400; it would end the plugin's
    engine."""
    context_encoding_buckets: tuple[TokenCount, ...] | None = Field(
        default=None,
        description="Compiled prompt lengths, ascending to the longest prompt; by default powers "
        f"of two from {FIRST_CONTEXT}.",
    )
    token_generation_buckets: tuple[TokenCount, ...] | None = Field(
        default=None,
        description="Compiled lengths of decode steps, ascending to `max_model_len`; by default "
        f"powers of two from {FIRST_GENERATION}.",
    )
    prefix_caching: bool = False
    """Reuse the KV cache of common prefixes; needs `block_size`."""
    block_size: TokenCount | None = None
    """Tokens of a KV block, with `prefix_caching`."""
    compile: Literal["never", "allowed"] = "never"
    """Whether a start may compile. `never` refuses to start without artifacts."""
    artifacts: str = "~/.cache/neuron-gateway/artifacts"
    """Folder of compiled artifacts, each set in a folder named by a hash of everything that shapes
    it, the content of the weights too."""
    compile_cache: str | None = None
    """Folder or `s3://` prefix of graphs that were compiled before, by default `compile-cache` in
    `artifacts`. After a change of one bucket the compiler takes the others from it."""
    override_neuron_config: dict[str, JsonValue] = Field(default_factory=dict)
    """Tuning keys of neuronx-distributed-inference, such as `fused_qkv`. `attn_kernel_enabled` is
    false where it is left out: whether the kernel runs on inf2 is not known."""
    hang_timeout_seconds: Seconds = Field(default=60.0, gt=0)
    """Seconds without a step while requests run, after which the engine is dead: streams end with
    an error, the process is killed and the replica replaced."""
    cores: tuple[Annotated[int, Field(ge=0, lt=32)], ...] | None = None
    """Contiguous core ids; by default the first ones, under Ray those it assigned."""

    @field_validator("tensor_parallel_size")
    @classmethod
    def _is_compiled_degree(cls, degree: int, info: ValidationInfo) -> int:
        instance = INSTANCES.get(info.data.get("instance", ""))  # None where it is refused itself
        if instance is not None and degree not in instance.degrees:
            known = ", ".join(map(str, instance.degrees))
            raise ValueError(f"{degree} is no degree of {instance.family}. Give one of {known}")
        return degree

    @field_validator("block_size")
    @classmethod
    def _only_with_prefix_caching(cls, size: int | None, info: ValidationInfo) -> int | None:
        if size is not None and not info.data.get("prefix_caching"):
            raise ValueError("is only for prefix_caching: true. Leave it out")
        return size

    @field_validator("override_neuron_config")
    @classmethod
    def _only_tunable_keys(cls, overrides: dict[str, JsonValue]) -> dict[str, JsonValue]:
        if unknown := next((name for name in overrides if name not in TUNABLE), None):
            raise ValueError(
                f"{unknown} is not for the file to set; the plugin drops unknown names in "
                f"silence. Known: {', '.join(sorted(TUNABLE))}"
            )
        return overrides

    @property
    def instance_type(self) -> Instance:
        """The instance's cores, memory and price."""
        return INSTANCES[self.instance]

    @property
    def release(self) -> PluginRelease:
        """The versions that were released with the plugin."""
        return PLUGIN_RELEASES[self.plugin]

    @property
    def visible_cores(self) -> tuple[int, ...]:
        """The ids of the engine's cores."""
        return self.cores or tuple(range(self.tensor_parallel_size))

    def prompt_limit(self, max_model_len: int) -> int:
        """Return the longest compiled prompt."""
        return min(self.max_prompt_length or max_model_len, max_model_len)

    def context_buckets(self, max_model_len: int) -> tuple[int, ...]:
        """Return the compiled prompt lengths."""
        return self.context_encoding_buckets or powers_of_two(
            FIRST_CONTEXT, self.prompt_limit(max_model_len)
        )

    def generation_buckets(self, max_model_len: int) -> tuple[int, ...]:
        """Return the compiled lengths of decode steps."""
        return self.token_generation_buckets or powers_of_two(FIRST_GENERATION, max_model_len)

"""NeuronCores of one inf2 instance as a device: vLLM with AWS's Neuron plugin."""

from pathlib import Path
from typing import Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from engine.device import Launch
from engine.neuron.artifacts import Artifacts, model_identity
from engine.neuron.buckets import FIRST_CONTEXT, FIRST_GENERATION, powers
from engine.neuron.capabilities import Sampling, bounds, unsupported
from engine.neuron.catalogue import DEGREES, INSTANCES, PLUGIN_RELEASES, Instance, PluginRelease
from engine.neuron.cores import for_runtime
from engine.neuron.packages import versions

# Of NxDI's keys those that tune; the others are the gateway's to set, or break its guards.
TUNABLE: Final = frozenset({
    "async_mode", "attn_kernel_enabled", "cc_pipeline_tiling_factor", "flash_decoding_enabled",
    "fused_qkv", "kv_cache_quant", "logical_nc_config", "quantization_dtype", "quantization_type",
    "quantized", "quantized_checkpoints_path", "save_sharded_checkpoint", "scratchpad_page_size",
    "sequence_parallel_enabled", "skip_warmup", "token_generation_batches",
    "weight_gather_seq_len_threshold",
})  # fmt: skip


class SamplingClass(BaseModel):
    """The one way of sampling that a replica serves when its rows cannot be put right."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float = Field(default=1.0, ge=0, le=2)
    top_p: float = Field(default=1.0, gt=0, le=1)
    top_k: int = Field(default=0, ge=0)


class Neuron(BaseModel):
    """vLLM on `tensor_parallel_size` NeuronCores of an instance; lengths are in tokens.

    Buckets of None are powers of two. `sampling: cpu` honours more parameters and is about 2.4
    times slower (published for Llama 3.1 8B on inf2.48xlarge). `compile: never` refuses to start
    without artifacts. With `sampling_class` the hook that puts the plugin's rows right is not used.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    driver: ClassVar[str] = "engine.neuron.engine:NeuronEngine"
    reads_model: ClassVar[bool] = True

    kind: Literal["neuron"]
    instance: Literal["inf2.xlarge", "inf2.8xlarge", "inf2.24xlarge", "inf2.48xlarge"]
    tensor_parallel_size: int
    plugin: Literal["0.4.1", "0.5.0"] = "0.4.1"
    sampling: Sampling = "on_device"
    sampling_class: SamplingClass | None = None
    max_prompt_length: int | None = Field(default=None, ge=1)
    context_encoding_buckets: tuple[int, ...] | None = None
    token_generation_buckets: tuple[int, ...] | None = None
    prefix_caching: bool = False
    block_size: int | None = Field(default=None, ge=1)
    compile: Literal["never", "allowed"] = "never"
    artifacts: str = "~/.cache/neuron-gateway/artifacts"
    override_neuron_config: dict[str, Any] = Field(default_factory=dict)
    stall_seconds: float = Field(default=60.0, gt=0)
    cores: tuple[int, ...] | None = None

    @field_validator("tensor_parallel_size")
    @classmethod
    def _is_a_degree(cls, degree: int) -> int:
        if degree not in DEGREES:
            _refuse(f"{degree} is no degree of inf2. Give one of {', '.join(map(str, DEGREES))}")
        return degree

    @field_validator("block_size")
    @classmethod
    def _belongs_to_caching(cls, size: int | None, info: Any) -> int | None:
        if size is not None and not info.data.get("prefix_caching"):
            _refuse("is only for prefix_caching: true. Leave it out")
        return size

    @field_validator("override_neuron_config")
    @classmethod
    def _is_tunable(cls, overrides: dict[str, Any]) -> dict[str, Any]:
        for name in overrides:
            if name not in TUNABLE:
                _refuse(
                    f"{name} is not for the file to set; the plugin drops unknown names in "
                    f"silence. Known: {', '.join(sorted(TUNABLE))}"
                )
        return overrides

    @property
    def on(self) -> Instance:
        """The instance."""
        return INSTANCES[self.instance]

    @property
    def line(self) -> PluginRelease:
        """The versions that go with the plugin."""
        return PLUGIN_RELEASES[self.plugin]

    @property
    def visible_cores(self) -> tuple[int, ...]:
        """The cores: those that Ray gave, or the first ones."""
        return self.cores or tuple(range(self.tensor_parallel_size))

    def prompt_limit(self, max_model_len: int) -> int:
        """Give the longest prompt that is compiled."""
        return min(self.max_prompt_length or max_model_len, max_model_len)

    def context_buckets(self, max_model_len: int) -> tuple[int, ...]:
        """Give the compiled prompt lengths."""
        return self.context_encoding_buckets or powers(
            FIRST_CONTEXT, self.prompt_limit(max_model_len)
        )

    def generation_buckets(self, max_model_len: int) -> tuple[int, ...]:
        """Give the compiled lengths of decode steps."""
        return self.token_generation_buckets or powers(FIRST_GENERATION, max_model_len)

    def blocks(self, launch: Launch) -> int | None:
        """Count the KV blocks that every slot's whole context takes; None without caching."""
        if not self.prefix_caching or self.block_size is None:
            return None
        return -(-launch.max_model_len // self.block_size) * launch.max_num_seqs

    def unsupported_parameters(self) -> frozenset[str]:
        """Name the sampling parameters that this device ignores."""
        return unsupported(self.sampling)

    def bounds(self) -> dict[str, float]:
        """Give the highest values of parameters that it would cut in silence."""
        return bounds(self.sampling)

    def fixed(self) -> dict[str, float]:
        """Give the only values that some parameters may have."""
        return {} if self.sampling_class is None else self.sampling_class.model_dump()

    def resources(self) -> dict[str, float]:
        """Name the Ray resources of one replica: whole cores, which its child process inherits."""
        return {"neuron_cores": self.tensor_parallel_size}

    def vllm_args(self, launch: Launch) -> dict[str, Any]:
        """Give the engine arguments that depend on the device; the plugin's own are traps.

        Unset slots compile 128, unset prefix caching ends the start, a hyphen in
        `override_neuron_config` is ignored in silence.
        """
        caching = {"block_size": self.block_size, "num_gpu_blocks_override": self.blocks(launch)}
        return {
            "tensor_parallel_size": self.tensor_parallel_size,
            "dtype": "bfloat16",
            "enable_prefix_caching": self.prefix_caching,
            "swap_space": 0,
            "async_scheduling": False,
            "additional_config": {
                "max_prompt_length": self.prompt_limit(launch.max_model_len),
                "override_neuron_config": self.neuron_config(launch),
            },
        } | (caching if self.prefix_caching else {})

    def neuron_config(self, launch: Launch) -> dict[str, Any]:
        """Give what NxDI is told beyond the plugin's defaults."""
        length = launch.max_model_len
        config = {
            "max_context_length": self.prompt_limit(length),
            "context_encoding_buckets": list(self.context_buckets(length)),
            "token_generation_buckets": list(self.generation_buckets(length)),
            "save_sharded_checkpoint": True,
        }
        if self.sampling == "cpu":
            config["on_device_sampling_config"] = None
        if (blocks := self.blocks(launch)) is not None:
            config["pa_num_blocks"] = blocks
        return config | self.override_neuron_config

    def environment(self, launch: Launch) -> dict[str, str]:
        """Give the variables of vLLM, the runtime, and the hook in the engine's process."""
        guard = self.sampling == "on_device" and self.sampling_class is None
        return {
            "VLLM_PLUGINS": "neuron,neuron_gateway",
            "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
            "VLLM_NO_USAGE_STATS": "1",
            "NEURON_COMPILED_ARTIFACTS": str(self.compiled(launch).folder),
            "NEURON_GATEWAY_ROWS": "1" if guard else "0",
            "NEURON_GATEWAY_COMPILE": self.compile,
            **for_runtime(self.visible_cores),
        }

    def compiled(self, launch: Launch) -> Artifacts:
        """Give the artifacts that a launch needs."""
        facts = {
            "model": model_identity(launch.model),
            "instance_family": "inf2",
            "tensor_parallel_size": self.tensor_parallel_size,
            "max_num_seqs": launch.max_num_seqs,
            "max_model_len": launch.max_model_len,
            "dtype": "bfloat16",
            "sampling": self.sampling,
            "prefix_caching": self.prefix_caching,
            "block_size": self.block_size,
            **self.neuron_config(launch),
            **versions(self.line),
        }
        return Artifacts(Path(self.artifacts).expanduser(), facts)


def _refuse(message: str) -> None:
    raise PydanticCustomError("neuron", "{message}", {"message": message})

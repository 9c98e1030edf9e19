"""`Neuron`: NeuronCores of one inf2 instance as a device, through vLLM's Neuron plugin."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

from engine.device import Launch, VLLMDevice
from engine.host import Host
from engine.models.shape import known_shape, read_architecture
from engine.neuron.artifacts import Artifacts, model_facts
from engine.neuron.attention import KERNEL
from engine.neuron.capabilities import maximum_values, unsupported
from engine.neuron.cores import NEURON_CORES, contiguous, runtime_environment
from engine.neuron.node.doctor import examine_node
from engine.neuron.node.machine import devices
from engine.neuron.options import NeuronOptions
from engine.neuron.packages import package_versions
from engine.neuron.plan import Plan
from engine.neuron.rules import check_neuron, fp8_environment, hf_overrides
from engine.options import EngineOptions
from engine.report import Finding, Table
from engine.types import ModelInfo


class Neuron(NeuronOptions, VLLMDevice):
    """vLLM on `tensor_parallel_size` NeuronCores of an inf2 or trn1 instance."""

    driver: ClassVar[str] = "engine.neuron.engine:NeuronEngine"
    compiler: ClassVar[str | None] = "engine.neuron.precompile:precompile"

    def validate_engine(self, options: EngineOptions) -> None:
        """Raise PydanticCustomError for what would fail after a long compile."""
        check_neuron(
            self,
            model=options.model,
            slots=options.max_num_seqs if "max_num_seqs" in options.model_fields_set else None,
            length=options.max_model_len,
        )

    def describe(self, model_id: str, options: EngineOptions) -> ModelInfo:
        """Return the model with the parameters that the device ignores, cuts, or fixes."""
        length = self.context_length(options)
        fixed = {} if self.sampling_class is None else self.sampling_class.model_dump()
        return ModelInfo(
            id=model_id,
            max_model_len=length,
            max_prompt_len=self.prompt_limit(length),
            unsupported=unsupported(self.sampling),
            at_most=maximum_values(self.sampling),
            fixed=fixed,
            buckets=self.context_buckets(length),
        )

    def device_problem(self, host: Host) -> str | None:
        """Return a sentence where the machine has no Neuron device."""
        if devices(host):
            return None
        return (
            "There is no /dev/neuron*. Give the pod aws.amazon.com/neuron, or run on an inf2 node."
        )

    def examine(self, options: EngineOptions, host: Host) -> Iterator[Finding]:
        """Yield the state of driver, tools, devices, packages, disk, host and device memory."""
        launch, shape = self.launch(options), known_shape(options.model)
        yield from examine_node(self, launch, shape, host, compiled=self.compiled(launch).exists)

    @property
    def instance_name(self) -> str | None:
        """The instance type of the config."""
        return self.instance

    def summary(self) -> str:
        """Return the kind, the cores and the instance."""
        cores = self.tensor_parallel_size
        return f"{self.kind}, {cores} NeuronCore{'s' * (cores > 1)} of {self.instance}"

    def plan(
        self, model_id: str, options: EngineOptions, prompt_lengths: Sequence[int]
    ) -> Iterator[str | Table]:
        """Yield cores, memory, buckets with the padding of these prompts, artifacts, settings."""
        launch = self.launch(options)
        plan = Plan(
            device=self,
            launch=launch,
            shape=known_shape(options.model),
            artifacts=self.compiled(launch),
            arguments=self.engine_args(model_id, options),
            environment=self.environment(launch),
        )
        yield from plan.sections(prompt_lengths)

    def resources(self) -> dict[str, float]:
        """Return whole cores, which the engine's child process inherits."""
        return {NEURON_CORES: self.tensor_parallel_size}

    def node_resources(self, visible: Sequence[str]) -> dict[str, float]:
        """Return the visible cores, or all of the instance.

        Ray finds cores by itself only where the Neuron tools are, and counts a device as two.
        """
        return {NEURON_CORES: len(visible) or self.instance_type.cores}

    def with_accelerators(self, ids: Mapping[str, Sequence[str]]) -> Self:
        """Return the device on the cores that Ray chose; raises CoresUnusable at a gap."""
        return self.model_copy(update={"cores": contiguous(ids.get(NEURON_CORES, ()))})

    def vllm_args(self, launch: Launch) -> dict[str, Any]:
        """Return vLLM's arguments; each replaces a default that fails with the plugin.

        Without `max_num_seqs` 128 slots are compiled, without `enable_prefix_caching` the start
        ends, and a hyphen in `override_neuron_config` is ignored in silence.
        """
        caching = {"block_size": self.block_size, "num_gpu_blocks_override": self._blocks(launch)}
        overrides = hf_overrides(read_architecture(str(launch.model)))
        return {
            "tensor_parallel_size": self.tensor_parallel_size,
            "dtype": "bfloat16",
            "enable_prefix_caching": self.prefix_caching,
            "swap_space": 0,
            "async_scheduling": False,
            "additional_config": {
                "max_prompt_length": self.prompt_limit(launch.max_model_len),
                "override_neuron_config": self._neuron_config(launch)
                | self._quantized_weights(launch),
            },
            **({"hf_overrides": overrides} if overrides else {}),
            **(caching if self.prefix_caching else {}),
        }

    def environment(self, launch: Launch) -> dict[str, str]:
        """Return the variables of vLLM, of the runtime, and of the hook in the engine's process.

        vLLM's sampler would compile with inductor while the first request for logprobs waits.
        """
        artifacts = self.compiled(launch)
        patch_rows = self.sampling == "on_device" and self.sampling_class is None
        return {
            "VLLM_PLUGINS": "neuron,neuron_gateway",
            "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
            "VLLM_NO_USAGE_STATS": "1",
            "NEURON_COMPILED_ARTIFACTS": str(artifacts.folder),
            "BASE_COMPILE_WORK_DIR": str(artifacts.work_folder),
            "NEURON_COMPILE_CACHE_URL": self.compile_cache or str(artifacts.root / "compile-cache"),
            "NEURON_GATEWAY_ROWS": "1" if patch_rows else "0",
            "NEURON_GATEWAY_COMPILE": self.compile,
            **runtime_environment(self.visible_cores),
            **fp8_environment(self.override_neuron_config),
            **({"TORCHDYNAMO_DISABLE": "1"} if self.sampling == "cpu" else {}),
        }

    def compiled(self, launch: Launch) -> Artifacts:
        """Return the artifacts that a launch loads; their name is a hash of these facts."""
        facts = {
            **model_facts(launch.model),
            "instance_family": self.instance_type.family,
            "tensor_parallel_size": self.tensor_parallel_size,
            "max_num_seqs": launch.max_num_seqs,
            "max_model_len": launch.max_model_len,
            "dtype": "bfloat16",
            "sampling": self.sampling,
            "prefix_caching": self.prefix_caching,
            "block_size": self.block_size,
            **self._neuron_config(launch),
            **package_versions(self.release),
        }
        return Artifacts(Path(self.artifacts).expanduser(), facts)

    def _neuron_config(self, launch: Launch) -> dict[str, Any]:
        """Return the keys of neuronx-distributed-inference that differ from the plugin's."""
        length = launch.max_model_len
        config = {
            "max_context_length": self.prompt_limit(length),
            "context_encoding_buckets": list(self.context_buckets(length)),
            "token_generation_buckets": list(self.generation_buckets(length)),
            "save_sharded_checkpoint": True,
            KERNEL: False,
        }
        if self.sampling == "cpu":
            config["on_device_sampling_config"] = None
        if (blocks := self._blocks(launch)) is not None:
            config["pa_num_blocks"] = blocks
        return config | self.override_neuron_config

    def _quantized_weights(self, launch: Launch) -> dict[str, str]:
        """Return the folder for weights that the plugin quantizes, where the config has none.

        It does not shape the artifacts, whose name it contains.
        """
        name, tuning = "quantized_checkpoints_path", self.override_neuron_config
        if not tuning.get("quantized") or name in tuning:
            return {}
        return {name: str(self.compiled(launch).quantized_weights)}

    def _blocks(self, launch: Launch) -> int | None:
        """Count the KV blocks of all slots' whole contexts; None without prefix caching."""
        if self.block_size is None:
            return None
        return -(-launch.max_model_len // self.block_size) * launch.max_num_seqs

"""`Plan`: what an engine will be on its instance, computed before anything is compiled."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from engine.device import Launch
from engine.models.shape import ModelShape
from engine.neuron.artifacts import Artifacts
from engine.neuron.attention import kernel_risk
from engine.neuron.buckets import bucket_of, padding_share
from engine.neuron.capabilities import CAPABILITIES
from engine.neuron.catalogue import PRICE_DATE
from engine.neuron.memory import Memory
from engine.neuron.node.host_memory import compile_problem
from engine.neuron.options import NeuronOptions
from engine.neuron.rules import risks
from engine.report import Table

_UNKNOWN_ARTIFACTS: Final = dict.fromkeys(
    ("NEURON_COMPILED_ARTIFACTS", "BASE_COMPILE_WORK_DIR"), "(its hash is that of the model too)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One engine on an instance; `shape` is None while the model's sizes are not known."""

    device: NeuronOptions
    launch: Launch
    shape: ModelShape | None
    artifacts: Artifacts
    arguments: Mapping[str, Any]
    environment: Mapping[str, str]

    @property
    def replicas(self) -> int:
        """The engines that the instance has cores for."""
        return self.device.instance_type.cores // self.device.tensor_parallel_size

    @property
    def _model_is_local(self) -> bool:
        return (self.launch.model / "config.json").is_file()

    def sections(self, prompt_lengths: Sequence[int]) -> Iterator[str | Table]:
        """Yield the plan as lines and tables; prompt lengths, in tokens, show their padding."""
        yield from self._instance()
        yield self._memory()
        yield self._buckets(prompt_lengths)
        yield f"artifacts: {self._artifacts()}"
        yield _settings("vLLM arguments", self.arguments)
        unknown = {} if self._model_is_local else _UNKNOWN_ARTIFACTS
        yield _settings("environment", {**self.environment, **unknown})
        yield self._capabilities()

    def _instance(self) -> Iterator[str]:
        instance, release = self.device.instance_type, self.device.release
        yield (
            f"cores: {', '.join(map(str, self.device.visible_cores))} of {instance.cores} on "
            f"{instance.name}, which has cores for {self.replicas} such "
            f"replica{'s' if self.replicas > 1 else ''}"
        )
        yield (
            f"price: ${instance.price / self.replicas:.3f} an hour per replica "
            f"(on demand, us-east-1, {PRICE_DATE})"
        )
        yield f"versions: plugin {release.plugin} on vLLM {release.vllm}, Neuron SDK {release.sdk}"
        yield from (f"risk: {risk}" for risk in release.risks)
        if self.shape is not None:
            found = risks(self.device, self.shape, self.launch.max_model_len)
            yield from (f"risk: {risk}" for risk in found)
            if problem := compile_problem(self.shape, instance):
                yield f"host memory: {problem}."
        yield from kernel_risk(self.device, self.launch.max_model_len, self.shape)

    def _memory(self) -> str | Table:
        if self.shape is None:
            return "memory: known once the model's config.json is on this machine"
        cores, length = self.device.tensor_parallel_size, self.launch.max_model_len
        memory = Memory.of(
            self.shape,
            cores=cores,
            slots=self.launch.max_num_seqs,
            length=length,
            tuning=self.device.override_neuron_config,
        )
        parts = (memory.weights, memory.kv, memory.device - memory.total, memory.device)
        return Table(
            title="device memory in GB",
            columns=("", "weights", "KV cache", "free", "total"),
            rows=[
                (name, *(f"{part / divisor / 1e9:.2f}" for part in parts))
                for name, divisor in (("each core", cores), (f"{cores} cores", 1))
            ],
            caption=(
                f"{memory.total / 1e9:.2f} GB for the weights and {memory.kv_tokens:,} KV tokens; "
                f"{memory.advice}"
            ),
        )

    def _buckets(self, prompt_lengths: Sequence[int]) -> Table:
        length = self.launch.max_model_len
        buckets = self.device.context_buckets(length)
        decode = ", ".join(f"{size:,}" for size in self.device.generation_buckets(length))
        padding = (
            f"{padding_share(prompt_lengths, buckets):.0%} of all prefilled positions are padding"
            if prompt_lengths
            else "give the lengths of your prompts with --lengths to see their padding"
        )
        return Table(
            title="compiled lengths in tokens",
            columns=("context encoding", "prompts", "padding"),
            rows=[
                _bucket_row(size, [n for n in prompt_lengths if bucket_of(n, buckets) == size])
                for size in buckets
            ],
            caption=f"token generation: {decode}\n{padding}",
        )

    def _artifacts(self) -> str:
        if not self._model_is_local:
            return "their hash is known once the model is on this machine"
        state = "compiled" if self.artifacts.exists else self.artifacts.missing()
        return f"{self.artifacts.folder}: {state}"

    def _capabilities(self) -> Table:
        sampling = self.device.sampling
        return Table(
            title=f"request parameters with sampling: {sampling}",
            columns=("parameter", "support"),
            rows=[(c.api.replace("`", ""), c.outcome(sampling)) for c in CAPABILITIES],
        )


def _bucket_row(bucket: int, lengths: Sequence[int]) -> Sequence[str]:
    padding = f"{padding_share(lengths, (bucket,)):.0%}"
    return (f"{bucket:,}", f"{len(lengths)}", padding) if lengths else (f"{bucket:,}", "", "")


def _settings(title: str, settings: Mapping[str, Any]) -> str:
    lines = (f"  {name}: {json.dumps(value)}" for name, value in settings.items())
    return "\n".join((f"{title}:", *lines))

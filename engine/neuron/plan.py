"""`Plan`: what an engine would be on its instance, worked out before anything is compiled."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from engine.config import EngineConfig
from engine.models.shape import ModelShape, known_shape
from engine.neuron.artifacts import Artifacts
from engine.neuron.buckets import Use, uses, waste
from engine.neuron.capabilities import CAPABILITIES
from engine.neuron.catalogue import PRICE_DATE
from engine.neuron.device import Neuron
from engine.neuron.engine import NeuronEngine
from engine.neuron.memory import Memory

_UNKNOWN_ARTIFACTS: Final = {"NEURON_COMPILED_ARTIFACTS": "(its hash is that of the model too)"}
UNKNOWN_LENGTH: Final = 2048  # what a model is taken for that is not there yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One engine's place on its instance; `memory` and `artifacts` are None until the model is.

    `replicas` is how many such engines the instance has cores for.
    """

    device: Neuron
    slots: int
    max_model_len: int
    prompt_limit: int
    context_buckets: tuple[int, ...]
    generation_buckets: tuple[int, ...]
    replicas: int
    memory: Memory | None
    artifacts: Artifacts | None
    arguments: dict[str, Any]
    environment: dict[str, str]
    risk: str | None

    def uses(self, lengths: Sequence[int]) -> list[Use]:
        """Sort prompts of these lengths into the context buckets."""
        return uses(lengths, self.context_buckets)

    def waste(self, lengths: Sequence[int]) -> float:
        """Give the share of all prefilled positions that is padding."""
        return waste(lengths, self.context_buckets)

    def capabilities(self) -> list[tuple[str, str]]:
        """List the request parameters, and what becomes of each."""
        sampling = self.device.sampling
        return [(c.api.replace("`", ""), c.outcome(sampling)) for c in CAPABILITIES]

    def price(self) -> str:
        """Say what a replica's share of the instance costs."""
        dollars = self.device.on.price / self.replicas
        return f"${dollars:.3f} an hour per replica (on demand, us-east-1, {PRICE_DATE})"


def plan_of(model_id: str, config: EngineConfig) -> Plan:
    """Work out the plan of an engine whose device is a Neuron; needs neither vLLM nor torch."""
    device = config.device
    assert isinstance(device, Neuron)
    shape = known_shape(config.model)
    length = config.max_model_len or (
        shape.max_position_embeddings if shape is not None else UNKNOWN_LENGTH
    )
    engine = NeuronEngine(model_id, config.model_copy(update={"max_model_len": length}))
    there = (engine.launch.model / "config.json").is_file()
    return Plan(
        device=device,
        slots=config.max_num_seqs,
        max_model_len=length,
        prompt_limit=device.prompt_limit(length),
        context_buckets=device.context_buckets(length),
        generation_buckets=device.generation_buckets(length),
        replicas=device.on.cores // device.tensor_parallel_size,
        memory=_memory(shape, device, config.max_num_seqs, length),
        artifacts=engine.artifacts if there else None,
        arguments=engine.arguments,
        environment=engine.environment | ({} if there else _UNKNOWN_ARTIFACTS),
        risk=_risk(shape, device),
    )


def _memory(shape: ModelShape | None, device: Neuron, slots: int, length: int) -> Memory | None:
    if shape is None:
        return None
    return Memory.of(shape, cores=device.tensor_parallel_size, slots=slots, length=length)


def _risk(shape: ModelShape | None, device: Neuron) -> str | None:
    """Say what the compiler may fail on, as seen by others; nobody can know before it is run."""
    if shape is None or shape.rope_type != "llama3":
        return None
    return (
        f"rope_type llama3 (Llama 3.1 and 3.2): others saw the compiler of SDK {device.line.sdk} "
        "fail on it with NCC_ITEN404. Meta-Llama-3-8B-Instruct has none."
    )

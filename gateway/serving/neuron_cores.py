"""NeuronCores under Ray: what a node offers, and what a replica was given."""

from collections.abc import Sequence
from typing import Final

from engine import Neuron
from engine.neuron.cores import contiguous
from gateway.config import AppConfig, ModelConfig
from gateway.serving.environment import visible_cores

NEURON_CORES: Final = "neuron_cores"  # Ray's name of the resource


def node_resources(config: AppConfig) -> dict[str, float] | None:
    """Give what this machine offers where a model wants it.

    Ray finds cores by itself only where the Neuron tools are, and counts a device as two.
    """
    cores = [m.engine.device.on.cores for m in config.models if isinstance(m.engine.device, Neuron)]
    return {NEURON_CORES: len(visible_cores()) or max(cores)} if cores else None


def with_cores(config: AppConfig, given: Sequence[str]) -> AppConfig:
    """Give the config with the cores that Ray chose; raises CoresUnusable if they have a gap."""
    models = tuple(_with_cores(model, given) for model in config.models)
    return config.model_copy(update={"models": models})


def _with_cores(model: ModelConfig, given: Sequence[str]) -> ModelConfig:
    device = model.engine.device
    if not isinstance(device, Neuron):
        return model
    device = device.model_copy(update={"cores": contiguous(given)})
    return model.model_copy(update={"engine": model.engine.model_copy(update={"device": device})})

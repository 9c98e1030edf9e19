"""Accelerators under Ray, such as NeuronCores: what a node offers, and what a replica was given."""

from collections.abc import Mapping, Sequence

from gateway.config import AppConfig, ModelConfig
from gateway.serving.environment import visible_cores


def node_resources(config: AppConfig) -> dict[str, float] | None:
    """Return the Ray resources that this machine offers beside CPUs; None where there are none."""
    resources: dict[str, float] = {}
    for model in config.models:
        for name, amount in model.engine.device.node_resources(visible_cores()).items():
            resources[name] = max(amount, resources.get(name, 0))
    return resources or None


def with_accelerators(config: AppConfig, ids: Mapping[str, Sequence[str]]) -> AppConfig:
    """Return the config on the accelerators that Ray gave to this replica, ids by resource.

    Raises CoresUnusable where a device cannot use them together.
    """
    models = tuple(_with_accelerators(model, ids) for model in config.models)
    return config.model_copy(update={"models": models})


def _with_accelerators(model: ModelConfig, ids: Mapping[str, Sequence[str]]) -> ModelConfig:
    device = model.engine.device.with_accelerators(ids)
    return model.model_copy(update={"engine": model.engine.model_copy(update={"device": device})})

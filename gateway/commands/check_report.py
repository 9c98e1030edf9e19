"""What a config would serve, as `neuron-gateway check` shows it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import RenderableType

from engine import Cpu, Neuron, Simulated
from gateway.config import AppConfig, ConfigError, ModelConfig


def report(config: AppConfig, lengths: Sequence[int] = ()) -> Iterator[RenderableType]:
    """Say what will be served; `lengths` are prompts whose padding is shown."""
    for model in config.models:
        yield _model_line(model)
        yield (
            f"  {_replicas(model)}; requests: {config.most_at_once(model)} at once per replica, of "
            f"which {config.limits.max_queued} wait; {config.limits.max_request_seconds:g} s each at most"
        )
    hops = "one hop" if config.hops == 1 else "two hops: an ingress, and a deployment a model"
    yield f"proxy: {config.proxy}, {hops}"
    for model in config.models:
        if isinstance(model.engine.device, Neuron):
            yield from _neuron(model, lengths)


def _model_line(model: ModelConfig) -> str:
    engine = model.engine
    context = f"{engine.max_model_len} tokens" if engine.max_model_len else "the model's own"
    device = engine.device
    memory = f", {device.kv_cache_gib:g} GiB for the KV cache" if isinstance(device, Cpu) else ""
    what = "no model" if isinstance(device, Simulated) else engine.model
    return (
        f"{model.id}: {what} on {device.kind}, {engine.max_num_seqs} slots, "
        f"context {context}{memory}"
    )


def _replicas(model: ModelConfig) -> str:
    if isinstance(model.replicas, int):
        return f"replicas: {model.replicas}"
    return f"replicas: {model.replicas.min} to {model.replicas.max}"


def _neuron(model: ModelConfig, lengths: Sequence[int]) -> Iterator[RenderableType]:
    from engine.neuron.plan import plan_of
    from gateway.commands.neuron_report import neuron_report

    found = plan_of(model.id, model.engine)
    for length in lengths:
        if not 0 < length <= found.prompt_limit:
            raise ConfigError(
                f"--lengths: {length} is not between 1 and {found.prompt_limit}, the longest "
                "prompt. Leave it out or raise max_prompt_length."
            )
    yield from neuron_report(found, lengths)


def read_lengths(given: str) -> list[int]:
    """Read `200,1500` or a file with a number in each line; raises ConfigError."""
    file = Path(given)
    text = file.read_text("utf-8") if given and file.is_file() else given
    try:
        return [int(word) for word in text.replace(",", " ").split()]
    except ValueError:
        raise ConfigError(
            f"--lengths: {given} is neither a file of numbers nor a list such as 200,1500."
        ) from None

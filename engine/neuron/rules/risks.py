"""`risks`: what may fail or cost more than it seems, as lines of `check`, each with its source."""

from collections.abc import Iterator

from engine.models.shape import ModelShape
from engine.neuron.options import NeuronOptions


def risks(device: NeuronOptions, shape: ModelShape) -> Iterator[str]:
    """Yield sentences on an engine that no rule refuses."""
    if problem := padding(shape, device.tensor_parallel_size):
        yield problem
    if shape.rope_type == "llama3":
        yield (
            "rope_type llama3 (Llama 3.1 and 3.2): others saw the compiler of SDK "
            f"{device.release.sdk} fail on it with NCC_ITEN404. Meta-Llama-3-8B-Instruct has none."
        )


def padding(shape: ModelShape, degree: int) -> str | None:
    """Return how NxDI pads attention heads that a degree does not divide, None where it does."""
    sharded = shape.sharded(degree)
    if sharded.heads == shape.heads and sharded.kv_heads in (shape.kv_heads, degree):
        return None
    factor = sharded.kv_heads / shape.kv_heads
    return (
        f"degree {degree} does not divide the attention heads: NxDI pads {shape.heads} query heads "
        f"to {sharded.heads} and {shape.kv_heads} KV heads to {sharded.kv_heads}, so that a token "
        f"takes {factor:g} times the KV cache. AWS's guide asks for heads that divide; others ran "
        "Llama 3.3 70B at 24 (optimum-neuron, benchmarks)."
    )

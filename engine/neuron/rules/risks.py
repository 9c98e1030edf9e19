"""`risks`: what may fail or cost more than it seems, as lines of `check`, each with its source."""

from collections.abc import Iterator
from typing import Final

from engine.models.shape import ModelShape
from engine.neuron.options import NeuronOptions
from engine.neuron.rules.model import MISTRAL

LONG_CONTEXT: Final = 16_384
# By architecture, hidden_size and layers.
_FAILED: Final = {
    ("Qwen2ForCausalLM", 5120, 48): "Qwen2.5-14B",
    ("Qwen3ForCausalLM", 4096, 36): "Qwen3-8B",
}


def risks(device: NeuronOptions, shape: ModelShape, length: int) -> Iterator[str]:
    """Yield sentences on an engine that no rule refuses; `length` is its context in tokens."""
    yield from _of_model(device.release.sdk, shape)
    if problem := padding(shape, device.tensor_parallel_size):
        yield problem
    if length >= LONG_CONTEXT:
        yield (
            f"a context of {length} tokens: others saw Qwen2.5-32B fail to compile for 16,384 on "
            "inf2.24xlarge (aws-neuron-sdk#1365). No longer one was published for inf2."
        )
    if device.prefix_caching:
        yield (
            "prefix_caching: all public reports of it on this chip are of compilers that fail "
            "(aws-neuron-sdk#1304 and #1365, helix#2724)."
        )


def _of_model(sdk: str, shape: ModelShape) -> Iterator[str]:
    if shape.architecture == MISTRAL:
        yield (
            "dense Mistral runs as LlamaForCausalLM (hf_overrides): AWS lists Mistral 7B there. "
            "No run with this plugin was published, and none at all with a sliding_window."
        )
    if shape.rope_type == "llama3":
        yield (
            "rope_type llama3 (Llama 3.1 and 3.2): others saw the compiler of SDK 2.28 fail on it "
            "with NCC_ITEN404. Meta-Llama-3-8B-Instruct has none."
        )
    name = _FAILED.get((shape.architecture, shape.hidden_size, shape.layers))
    if name is not None and sdk.startswith("2.28"):
        yield (
            f"{name}: others saw the compiler of SDK {sdk} fail on it with NCC_IXCG856 "
            "(aws-neuron-sdk#1303). Qwen2.5-7B compiled there."
        )
    if shape.tied_embeddings:
        yield (
            "tied embeddings: others saw Qwen2.5-1.5B and Llama 3.2 1B, which have them, fail to "
            "compile with SDK 2.28 (helix#2724)."
        )


def padding(shape: ModelShape, degree: int) -> str | None:
    """Return how NxDI pads attention heads for a degree, None where it need not."""
    sharded = shape.sharded(degree)
    if sharded.heads == shape.heads and sharded.kv_heads in (shape.kv_heads, degree):
        return None
    factor = sharded.kv_heads / shape.kv_heads
    return (
        f"degree {degree} and the attention heads do not divide: NxDI pads {shape.heads} query "
        f"heads to {sharded.heads} and {shape.kv_heads} KV heads to {sharded.kv_heads}, so that a "
        f"token takes {factor:g} times the KV cache. AWS's guide asks for heads that divide; "
        "others ran Llama 3.3 70B at 24 (optimum-neuron, benchmarks)."
    )

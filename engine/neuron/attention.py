"""The kernel of the library for context encoding: off, unless the config turns it on.

Left to the library, every graph of 4,096 tokens and more would have it, and whether it runs on inf2
is not known. Turned on, every graph from 512 tokens has it.
"""

from collections.abc import Iterator
from typing import Final

from engine.models.shape import ModelShape
from engine.neuron.options import NeuronOptions

KERNEL: Final = "attn_kernel_enabled"
KERNEL_TOKENS: Final = 512  # a shorter graph never has the kernel
LIBRARY_TOKENS: Final = 4096  # from here the library would take it by itself
_SCORE_BYTES: Final = 4  # float32
_RANGE_SELECT: Final = (
    "compiles RangeSelect, an instruction that inf2 does not have (aws-neuron-sdk#1365)"
)


def kernel_problem(device: NeuronOptions, length: int) -> str | None:
    """Return why the config's choice of the kernel cannot work, None where it can."""
    chosen = device.override_neuron_config.get(KERNEL)
    if chosen and device.prefix_caching and device.context_buckets(length)[-1] >= KERNEL_TOKENS:
        return f"{KERNEL}: true with prefix_caching: true {_RANGE_SELECT}. Leave out one of the two"
    return None


def kernel_risk(device: NeuronOptions, length: int, shape: ModelShape | None) -> Iterator[str]:
    """Yield lines of `check`: why the kernel is off, and what is not known of either choice."""
    longest, caching = device.context_buckets(length)[-1], device.prefix_caching
    if device.override_neuron_config.get(KERNEL):
        if longest >= KERNEL_TOKENS:
            yield (
                f"risk: {KERNEL}: true is for every prompt graph from {KERNEL_TOKENS} tokens. "
                "Others saw the kernel fail on inf2 (helix#2724, SDK 2.28) and run (Red Hat, "
                "Qwen3-30B-A3B at 8,192). Without the key it is off."
            )
        return
    if caching and longest >= LIBRARY_TOKENS:
        yield f"attention kernel: off, since with prefix_caching it {_RANGE_SELECT}"
    if longest > LIBRARY_TOKENS:
        other = "" if caching else f", or try {KERNEL}: true"
        yield (
            "risk: the attention kernel is off, and the longest prompt graph that others ran "
            f"without it on inf2 has {LIBRARY_TOKENS:,} tokens (NxDI contrib, chandra)"
            f"{_scores(longest, device.tensor_parallel_size, shape)}. "
            f"Set max_prompt_length: {LIBRARY_TOKENS}{other}."
        )


def _scores(tokens: int, degree: int, shape: ModelShape | None) -> str:
    """Return the memory that the scores of one layer take beside weights and KV cache."""
    if shape is None:
        return ""
    gb = tokens**2 * -(-shape.heads // degree) * _SCORE_BYTES / 1e9
    return (
        f": the scores of {tokens:,} tokens take {gb:.1f} GB of each core beside the memory below"
    )

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
SHOWN_TOKENS: Final = 4096  # the longest graph that others compiled for inf2 without the kernel
_SCORE_BYTES: Final = 4  # float32


def kernel_problem(device: NeuronOptions, length: int) -> str | None:
    """Return why the config's choice of the kernel cannot work, None where it can."""
    chosen = device.override_neuron_config.get(KERNEL, False)
    if not isinstance(chosen, bool):
        return f"{KERNEL} must be true or false: null leaves the choice to the library"
    if chosen and device.prefix_caching and device.context_buckets(length)[-1] >= KERNEL_TOKENS:
        return (
            f"{KERNEL}: true with prefix_caching: true compiles RangeSelect, an instruction that "
            "inf2 does not have (aws-neuron-sdk#1365). Leave out one of the two"
        )
    return None


def kernel_risk(device: NeuronOptions, length: int, shape: ModelShape | None) -> Iterator[str]:
    """Yield what is not known of the longest compiled prompt, as a line of `check`."""
    longest = device.context_buckets(length)[-1]
    if device.override_neuron_config.get(KERNEL):
        if longest >= KERNEL_TOKENS:
            yield (
                f"risk: {KERNEL}: true is for every prompt graph from {KERNEL_TOKENS} tokens. "
                "Others saw the kernel fail on inf2 (helix#2724, SDK 2.28) and run (Red Hat, "
                "Qwen3-30B-A3B at 8,192). Without the key it is off."
            )
    elif longest > SHOWN_TOKENS:
        yield (
            f"risk: the attention kernel is off, and the longest prompt graph that others ran so on "
            f"inf2 has {SHOWN_TOKENS:,} tokens (NxDI contrib, chandra)"
            f"{_scores(longest, device.tensor_parallel_size, shape)}. "
            f"Set max_prompt_length: {SHOWN_TOKENS}, or try {KERNEL}: true."
        )


def _scores(tokens: int, degree: int, shape: ModelShape | None) -> str:
    """Return the memory that the scores of one layer take beside weights and KV cache."""
    if shape is None:
        return ""
    gigabytes = tokens**2 * -(-shape.heads // degree) * _SCORE_BYTES / 1e9
    return f": the scores of {tokens:,} tokens take {gigabytes:.1f} GB of each core beside the memory below"

"""What the Neuron library asks of a model, whatever the config; the planner asks the same."""

from typing import Final

from engine.models.shape import ModelShape
from engine.neuron.catalogue import ARCHITECTURES, VISION

MISTRAL: Final = "MistralForCausalLM"
# Quantized checkpoints that the library reads, by `quant_method`, and for which of its decoders.
_CHECKPOINTS: Final = {
    "fbgemm_fp8": "LlamaForCausalLM",
    "fp8": "Qwen3MoeForCausalLM",
    "mxfp4": "GptOssForCausalLM",
}


def hf_overrides(architecture: str | None) -> dict[str, object]:
    """Return the changes of a model's config that vLLM and the plugin need to find its decoder.

    The decoder of Llama runs dense Mistral, by AWS's table of models.
    """
    return {"architectures": ["LlamaForCausalLM"]} if architecture == MISTRAL else {}


def architecture_problem(architecture: str) -> str | None:
    """Return why the class of a model cannot run, None where it can; `unknown` is not judged."""
    known = ", ".join(sorted(ARCHITECTURES))
    if architecture in VISION:
        return (
            f"{architecture} reads images. The plugin's loader of such models refuses the keys "
            f"that the gateway sets and the start fails. Give a text model: one of {known}"
        )
    if architecture not in ARCHITECTURES and architecture != "unknown":
        return f"{architecture} is not known to the Neuron library. Give one of {known}"
    return None


def least_slots(shape: ModelShape) -> int:
    """Return the smallest batch that NxDI supports for a model.

    "Qwen3 MoE only supports batch size >= 16 configurations" is a known issue of NxDI 0.8 in the
    release notes of SDK 2.28, also in its tutorial of Qwen3 MoE. From there on a step reads all
    128 experts, of which a token uses 8.
    """
    return 16 if shape.architecture == "Qwen3MoeForCausalLM" else 1


def checkpoint_problem(shape: ModelShape) -> str | None:
    """Return why the Neuron library cannot read a model's weights, None where it can."""
    method = shape.quant_method
    if not method or shape.architecture == _CHECKPOINTS.get(method):
        return None
    return (
        f"the checkpoint is quantized with {method}, which the Neuron library does not read for "
        f"{shape.architecture}. Give the bfloat16 checkpoint, with override_neuron_config: "
        "{quantized: true} for int8"
    )

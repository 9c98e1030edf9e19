"""The latencies of a model at a tensor parallel degree, from those published for Llama 3."""

from math import log
from typing import Final

from engine import Neuron, Simulated
from engine.models import KNOWN, ModelShape
from engine.simulated import PROFILES, Profile

# Of mixtures of experts no times were published from which a line could be fitted. These ranges
# hold the line below: Red Hat (ROSA, plugin 0.4.1, SDK 2.28) and optimum-neuron, benchmark/vllm.
MIXTURE_DEGREES: Final = (8, 16)
_MIXTURES: Final = (
    "published for a mixture of experts, Qwen3-30B-A3B: 41 to 57 ms a token, 0.5 s to the first "
    "and at most 154 tokens/s at degrees 8 and 16 (Red Hat, inf2.24xlarge and inf2.48xlarge, SDK "
    "2.28); 24 ms a token with 8 slots and 2.4 s to the first at degree 32 (Hugging Face, "
    "trn1.32xlarge)"
)


def latencies(shape: ModelShape, neuron: Neuron, *, slots: int, max_model_len: int) -> Simulated:
    """Return a simulated device with the latencies of a Neuron device.

    Those of other models than the published one are assumed to grow with the weights: a decode step
    with those that it reads, each of its slots with those that a token uses, a prefill with all.
    Of a mixture of experts a prefill's tokens together choose all experts.
    """
    profile = _profile(shape, neuron)
    whole = KNOWN[profile.model].parameters
    prefill = shape.parameters / whole
    return Simulated(
        kind="simulated",
        prefill_buckets=neuron.context_buckets(max_model_len),
        prefill_base_ms=profile.prefill.base * prefill,
        prefill_ms_per_token=profile.prefill.slope * prefill,
        decode_base_ms=profile.decode.base * shape.parameters_read(slots) / whole,
        decode_ms_per_slot=profile.decode.slope * shape.active_parameters / whole,
    )


def published(shape: ModelShape, neuron: Neuron) -> bool:
    """Return whether any latencies were published for such a model at this degree."""
    if _is_mixture(shape):
        return neuron.tensor_parallel_size in MIXTURE_DEGREES
    profile = _profile(shape, neuron)
    return profile.cores == neuron.tensor_parallel_size and not profile.interpolated


def remarks(shape: ModelShape, neuron: Neuron, slots: int, max_model_len: int) -> list[str]:
    """Return sentences on the source of these latencies, and on what of them was not published."""
    profile = _profile(shape, neuron)
    found = [f"latencies: {profile.source}"]
    if profile.cores != (degree := neuron.tensor_parallel_size):
        found.append(f"no line was published for degree {degree}: these are those of a smaller one")
    most = max(point.size for point in profile.decode_points)
    if slots > most and not profile.interpolated:
        found.append(f"no step of more than {most} slots was published at this degree")
    if (family := neuron.instance_type.family) != "inf2":
        found.append(f"they are those of inf2: {family} has the same NeuronCores")
    if profile.limits:
        found.append(profile.limits)
    whole = KNOWN[profile.model].parameters
    if abs(shape.parameters / whole - 1) > 0.02:
        name = profile.model.rpartition("/")[2]
        found.append(
            f"scaled by {shape.parameters / whole:.2f}, this model's weights by those of {name}"
        )
    if _is_mixture(shape):
        found.append(
            f"a step reads {shape.parameters_read(slots) / 1e9:.1f} B weights of all experts, and "
            f"each slot computes with {shape.active_parameters / 1e9:.1f} B"
        )
        found.append(_MIXTURES)
    if max_model_len > 4096:
        found.append(
            "published at a length of 4,096: at 8,192 AWS saw a step of 8 slots take 15.2 instead "
            "of 10.5 ms"
        )
    return found


def _is_mixture(shape: ModelShape) -> bool:
    return shape.active_parameters < shape.parameters


def _profile(shape: ModelShape, neuron: Neuron) -> Profile:
    """Return the profile of the largest degree up to the device's, which is no faster.

    Of several models that with the most similar weights. A larger degree than those at which
    mixtures of experts were seen is not known to make one faster.
    """
    most = neuron.tensor_parallel_size
    if _is_mixture(shape):
        most = min(most, *MIXTURE_DEGREES)
    usable = [profile for profile in PROFILES.values() if profile.cores <= most]

    def fitness(profile: Profile) -> tuple[int, float]:
        ratio = shape.parameters / KNOWN[profile.model].parameters
        return profile.cores, -abs(log(ratio))

    return max(usable, key=fitness)

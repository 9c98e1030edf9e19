"""The latencies of a model at a tensor parallel degree, from those published for Llama 3 8B."""

from typing import Final

from engine import Neuron, Simulated
from engine.models import KNOWN, ModelShape
from engine.simulated import PROFILES, Line, Profile

PUBLISHED: Final = KNOWN["meta-llama/Meta-Llama-3-8B-Instruct"]
_BY_DEGREE: Final = {profile.cores: profile for profile in PROFILES.values()}


def latencies(shape: ModelShape, neuron: Neuron, max_model_len: int) -> Simulated:
    """Return a simulated device with the latencies of a Neuron device.

    Those of other models than Llama 3 8B are assumed to grow with the weights, which every decode
    step reads and every prefill multiplies with.
    """
    profile, factor = _profile(neuron), scale(shape)

    def scaled(line: Line) -> tuple[float, float]:
        return line.base * factor, line.slope * factor

    prefill_base, prefill_slope = scaled(profile.prefill)
    decode_base, decode_slope = scaled(profile.decode)
    return Simulated(
        kind="simulated",
        prefill_buckets=neuron.context_buckets(max_model_len),
        prefill_base_ms=prefill_base,
        prefill_ms_per_token=prefill_slope,
        decode_base_ms=decode_base,
        decode_ms_per_slot=decode_slope,
    )


def scale(shape: ModelShape) -> float:
    """Return the weights of a model as a share of those of Llama 3 8B."""
    return shape.parameters / PUBLISHED.parameters


def published(neuron: Neuron) -> bool:
    """Return whether any latencies were published for this degree."""
    profile = _profile(neuron)
    return profile.cores == neuron.tensor_parallel_size and not profile.interpolated


def remarks(shape: ModelShape, neuron: Neuron, slots: int, max_model_len: int) -> list[str]:
    """Return sentences on the source of these latencies, and on what of them was not published."""
    profile, factor = _profile(neuron), scale(shape)
    found = [f"latencies: {profile.source}"]
    if profile.cores != (degree := neuron.tensor_parallel_size):
        found.append(f"nothing was published for degree {degree}: these are those of a smaller one")
    most = max(point.size for point in profile.decode_points)
    if slots > most and not profile.interpolated:
        found.append(f"no step of more than {most} slots was published at this degree")
    if (family := neuron.instance_type.family) != "inf2":
        found.append(f"they are those of inf2: {family} has the same NeuronCores")
    if profile.limits:
        found.append(profile.limits)
    if abs(factor - 1) > 0.02:
        found.append(f"scaled by {factor:.2f}, this model's weights by those of Llama 3 8B")
    if max_model_len > 4096:
        found.append(
            "published at a length of 4,096: at 8,192 AWS saw a step of 8 slots take 15.2 instead "
            "of 10.5 ms"
        )
    return found


def _profile(neuron: Neuron) -> Profile:
    """Return the profile of the largest degree up to the device's, which is no faster."""
    return _BY_DEGREE[max(cores for cores in _BY_DEGREE if cores <= neuron.tensor_parallel_size)]

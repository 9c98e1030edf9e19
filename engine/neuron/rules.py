"""What is refused when the file is read: each rule names the key, the value and the fix."""

from typing import TYPE_CHECKING

from pydantic_core import PydanticCustomError

from engine.models.shape import ModelShape
from engine.neuron.buckets import problem
from engine.neuron.catalogue import ARCHITECTURES, DEGREES
from engine.neuron.memory import ADVISED_FREE, LEAST_FREE, Memory

if TYPE_CHECKING:
    from engine.neuron.device import Neuron


def check_neuron(
    device: "Neuron", *, slots: int | None, length: int | None, shape: ModelShape | None
) -> None:
    """Refuse what would die after a long compile; raises PydanticCustomError with the key.

    `slots` and `length` are None where the file backends them out. What only the model can tell
    is checked as soon as its shape is known.
    """
    if slots is None:
        _refuse("max_num_seqs", "must be given: it is compiled, and the plugin's default is 128")
    _check_cores(device)
    if device.prefix_caching and device.block_size is None:
        _refuse("device.block_size", "must be given with prefix_caching: true, e.g. 32")
    length = length or (shape.max_position_embeddings if shape else None)
    if length is not None:
        _check_lengths(device, length)
    if shape is not None and slots is not None and length is not None:
        _check_model(device, shape, slots, length)


def _check_cores(device: "Neuron") -> None:
    degree, there = device.tensor_parallel_size, device.on.cores
    if degree > there:
        _refuse(
            "device.tensor_parallel_size",
            f"{degree} is more than the {there} NeuronCores of {device.instance}. "
            "Lower it or take a larger instance",
        )
    if device.cores is not None and len(device.cores) != degree:
        _refuse("device.cores", f"must name {degree} cores, as many as tensor_parallel_size")


def _check_lengths(device: "Neuron", length: int) -> None:
    limit = device.prompt_limit(length)
    if device.max_prompt_length is not None and device.max_prompt_length > length:
        _refuse(
            "device.max_prompt_length",
            f"{device.max_prompt_length} is above max_model_len, {length}. Lower it",
        )
    lists = (
        ("context_encoding_buckets", device.context_buckets(length), limit, "the longest prompt"),
        ("token_generation_buckets", device.generation_buckets(length), length, "max_model_len"),
    )
    for name, buckets, last, what in lists:
        if wrong := problem(buckets, last, what):
            _refuse(f"device.{name}", wrong)


def _check_model(device: "Neuron", shape: ModelShape, slots: int, length: int) -> None:
    degree = device.tensor_parallel_size
    if shape.architecture not in ARCHITECTURES and shape.architecture != "unknown":
        _refuse(
            "model",
            f"{shape.architecture} is not known to the Neuron library. "
            f"Give one of {', '.join(sorted(ARCHITECTURES))}",
        )
    if shape.heads % degree:
        fitting = [str(d) for d in DEGREES if shape.heads % d == 0]
        _refuse(
            "device.tensor_parallel_size",
            f"{degree} does not divide the model's {shape.heads} attention heads. "
            f"Give one of {', '.join(fitting)}",
        )
    if length > shape.max_position_embeddings:
        _refuse(
            "max_model_len",
            f"{length} is above the {shape.max_position_embeddings} tokens the model was made "
            "for, which the plugin does not check. Lower it",
        )
    memory = Memory.of(shape, cores=degree, slots=slots, length=length)
    if not memory.fits:
        _refuse("max_num_seqs", _does_not_fit(memory, slots, length))


def _does_not_fit(memory: Memory, slots: int, length: int) -> str:
    most = memory.most_tokens(ADVISED_FREE) // length
    fix = (
        f"Lower it to {most} or less, or lower max_model_len"
        if most
        else "Raise tensor_parallel_size, or take a smaller model"
    )
    return (
        f"{slots} slots of {length} tokens take {memory.kv / 1e9:.1f} GB beside "
        f"{memory.weights / 1e9:.1f} GB of weights, and {memory.cores} NeuronCores have "
        f"{memory.device / 1e9:.1f} GB, of which {LEAST_FREE:.0%} must be free. {fix}"
    )


def _refuse(key: str, message: str) -> None:
    raise PydanticCustomError("neuron", "{message}", {"message": message, "key": key})

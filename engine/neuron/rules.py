"""What is refused when a config is read: each rule names the key, the value and the fix."""

from typing import NoReturn

from pydantic_core import PydanticCustomError

from engine.models.shape import ModelShape
from engine.neuron.attention import kernel_problem
from engine.neuron.buckets import bucket_problem
from engine.neuron.catalogue import ARCHITECTURES, DEGREES
from engine.neuron.memory import ADVISED_FREE, LEAST_FREE, Memory
from engine.neuron.options import NeuronOptions


def check_neuron(
    device: NeuronOptions, *, slots: int | None, length: int | None, shape: ModelShape | None
) -> None:
    """Raise PydanticCustomError, with the key, for what would fail after a long compile.

    `slots` and `length` in tokens are None where the config leaves them out. What depends on the
    model is checked as soon as its shape is known.
    """
    if slots is None:
        _refuse("max_num_seqs", "must be given: it is compiled, and the plugin's default is 128")
    _check_cores(device)
    if device.prefix_caching and device.block_size is None:
        _refuse("device.block_size", "must be given with prefix_caching: true, e.g. 32")
    length = length or (shape.max_position_embeddings if shape else None)
    if length is not None:
        _check_lengths(device, length)
    if shape is not None and length is not None:
        _check_model(device, shape, slots, length)


def _check_cores(device: NeuronOptions) -> None:
    degree, cores = device.tensor_parallel_size, device.instance_type.cores
    if degree > cores:
        _refuse(
            "device.tensor_parallel_size",
            f"{degree} is more than the {cores} NeuronCores of {device.instance}. "
            "Lower it or take a larger instance",
        )
    if device.cores is not None and len(device.cores) != degree:
        _refuse("device.cores", f"must name {degree} cores, as many as tensor_parallel_size")


def _check_lengths(device: NeuronOptions, length: int) -> None:
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
        if problem := bucket_problem(buckets, last, what):
            _refuse(f"device.{name}", problem)
    if problem := kernel_problem(device, length):
        _refuse("device.override_neuron_config", problem)


def _check_model(device: NeuronOptions, shape: ModelShape, slots: int, length: int) -> None:
    degree = device.tensor_parallel_size
    if shape.architecture not in ARCHITECTURES and shape.architecture != "unknown":
        _refuse(
            "model",
            f"{shape.architecture} is not known to the Neuron library. "
            f"Give one of {', '.join(sorted(ARCHITECTURES))}",
        )
    if shape.heads % degree:
        divisors = [str(d) for d in DEGREES if shape.heads % d == 0]
        _refuse(
            "device.tensor_parallel_size",
            f"{degree} does not divide the model's {shape.heads} attention heads. "
            f"Give one of {', '.join(divisors)}",
        )
    if length > shape.max_position_embeddings:
        _refuse(
            "max_model_len",
            f"{length} is above the {shape.max_position_embeddings} tokens the model was made "
            "for, which the plugin does not check. Lower it",
        )
    memory = Memory.of(shape, cores=degree, slots=slots, length=length)
    if not memory.fits:
        _refuse("max_num_seqs", _memory_problem(memory, slots, length))


def _memory_problem(memory: Memory, slots: int, length: int) -> str:
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


def _refuse(key: str, message: str) -> NoReturn:
    raise PydanticCustomError("neuron", "{message}", {"message": message, "key": key})

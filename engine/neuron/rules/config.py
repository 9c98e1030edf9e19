"""What is refused when a config is read: each rule names the key, the value and the fix."""

from collections.abc import Sequence
from typing import NoReturn

from pydantic_core import PydanticCustomError

from engine.models.shape import ModelShape, read_architecture, read_shape
from engine.neuron.attention import kernel_problem
from engine.neuron.buckets import bucket_problem
from engine.neuron.memory import ADVISED_FREE, LEAST_FREE, Memory
from engine.neuron.node.host_memory import compile_problem
from engine.neuron.options import NeuronOptions
from engine.neuron.rules.model import architecture_problem, checkpoint_problem, least_slots
from engine.neuron.rules.tuning import tuning_problem


def check_neuron(
    device: NeuronOptions, *, model: str, slots: int | None, length: int | None
) -> None:
    """Raise PydanticCustomError, with the key, for what would fail after a long compile.

    `slots` and `length` in tokens are None where the config leaves them out. What depends on the
    model is checked where it is a local folder or a known name.
    """
    if slots is None:
        _refuse("max_num_seqs", "must be given: it is compiled, and the plugin's default is 128")
    _check_cores(device)
    _check_prefix_caching(device, slots)
    if problem := tuning_problem(device.override_neuron_config, slots):
        _refuse("device.override_neuron_config", problem)
    shape = _read_model(model)
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
    if device.cores is not None and (problem := _cores_problem(device.cores, degree, cores)):
        _refuse("device.cores", f"{list(device.cores)} {problem}, such as {list(range(degree))}")


def _cores_problem(ids: Sequence[int], degree: int, cores: int) -> str | None:
    if len(ids) != degree:
        return f"must name {degree} cores, as many as tensor_parallel_size"
    if list(ids) != list(range(ids[0], ids[0] + degree)):
        return "must be contiguous and ascend: the runtime takes a range. Give neighbours"
    if ids[-1] >= cores:
        return f"must be on the instance, whose {cores} cores are 0 to {cores - 1}. Give others"
    return None


def _check_prefix_caching(device: NeuronOptions, slots: int) -> None:
    if not device.prefix_caching:
        return
    if device.block_size is None:
        _refuse("device.block_size", "must be given with prefix_caching: true, e.g. 32")
    if slots == 1:
        _refuse("max_num_seqs", "must be 2 or more with prefix_caching: true, as NxDI requires")
    if "token_generation_batches" in device.override_neuron_config:
        _refuse(
            "device.override_neuron_config",
            "token_generation_batches is not for prefix_caching: true. Leave one of them out",
        )


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


def _read_model(model: str) -> ModelShape | None:
    """Return a model's shape, None where it is not on this machine; refuse one that cannot run."""
    try:
        problem = architecture_problem(read_architecture(model) or "unknown")
        shape = None if problem else read_shape(model)
    except (OSError, ValueError) as error:
        problem = f"{model} cannot be checked: {error}. Give a complete config.json"
    if problem:
        _refuse("model", problem)
    return shape


def _check_model(device: NeuronOptions, shape: ModelShape, slots: int, length: int) -> None:
    degree = device.tensor_parallel_size
    if problem := checkpoint_problem(shape):
        _refuse("model", problem)
    if shape.experts and device.prefix_caching:
        _refuse(
            "device.prefix_caching",
            "is not for a mixture of experts: no guide, test or report of NxDI has the two "
            "together. Set it to false",
        )
    if slots < (least := least_slots(shape)):
        _refuse(
            "max_num_seqs",
            f"{slots} is below {least}, the smallest batch for which NxDI supports "
            f"{shape.architecture} (known issues of SDK 2.28). Raise it",
        )
    if length > shape.max_position_embeddings:
        _refuse(
            "max_model_len",
            f"{length} is above the {shape.max_position_embeddings} tokens the model was made "
            "for, which the plugin does not check. Lower it",
        )
    tuning = device.override_neuron_config
    memory = Memory.of(shape, cores=degree, slots=slots, length=length, tuning=tuning)
    if not memory.fits:
        _refuse("max_num_seqs", _memory_problem(memory, slots, length))
    if device.compile == "allowed" and (problem := compile_problem(shape, device.instance_type)):
        _refuse("device.compile", problem)


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

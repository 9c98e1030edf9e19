"""The values of `override_neuron_config`: their types, and keys that only work together."""

from collections.abc import Mapping
from typing import Final

from engine.neuron.catalogue import TUNABLE

_TYPES: Final = {"boolean": bool, "integer": int, "string": str, "list": list, "object": dict}
_PATH: Final = "quantized_checkpoints_path"
_WITH_QUANTIZED: Final = (
    "modules_to_not_convert",
    "quantization_dtype",
    "quantization_type",
    _PATH,
)


def tuning_problem(tuning: Mapping[str, object], slots: int) -> str | None:
    """Return what is wrong with the values of tuning keys, None where nothing is."""
    for name, value in tuning.items():
        if problem := _value_problem(name, value):
            return problem
    return _quantization_problem(tuning) or _batches_problem(tuning, slots)


def fp8_environment(tuning: Mapping[str, object]) -> dict[str, str]:
    """Return the variables that NxDI's own demo sets for FP8 weights or an FP8 cache."""
    weights = tuning.get("quantized") and tuning.get("quantization_dtype") == "f8e4m3"
    if not (weights or tuning.get("kv_cache_quant")):
        return {}
    return {"XLA_HANDLE_SPECIAL_SCALAR": "1", "UNSAFE_FP8FNCAST": "1"}


def _value_problem(name: str, value: object) -> str | None:
    allowed = TUNABLE[name]
    if isinstance(allowed, str):
        what, right = f"of type {allowed}", type(value) is _TYPES[allowed]
    else:
        what, right = f"one of {', '.join(map(str, allowed))}", value in allowed
    return None if right else f"{name} is {value!r} and must be {what}"


def _quantization_problem(tuning: Mapping[str, object]) -> str | None:
    if not tuning.get("quantized"):
        for name in _WITH_QUANTIZED:
            if name in tuning:
                return f"{name} has no effect without quantized: true. Add that, or leave it out"
    elif tuning.get("save_sharded_checkpoint") is False and _PATH not in tuning:
        return (
            "save_sharded_checkpoint: false loads the quantized weights at every start. Give "
            f"{_PATH}, or leave save_sharded_checkpoint out"
        )
    if bool(tuning.get("kv_cache_quant")) != ("kv_quant_config" in tuning):
        return (
            "kv_cache_quant: true sets the compiler's option alone and kv_quant_config the cache's "
            "type alone. Give both, such as kv_quant_config: {direct_cast: true}, or neither"
        )
    return None


def _batches_problem(tuning: Mapping[str, object], slots: int) -> str | None:
    batches = tuning.get("token_generation_batches")
    if not isinstance(batches, list):
        return None
    if all(type(size) is int and 1 <= size <= slots for size in batches):
        return None
    return f"token_generation_batches is {batches} and must be from 1 to max_num_seqs, {slots}"

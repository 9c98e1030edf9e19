"""A model's shape for a plan: from a folder, a known name, the hub, or the command line."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from deploy.planner.search import PlanError
from engine.models import KNOWN, ModelShape, read_shape

_NEEDED: Final = ("parameters", "layers", "heads", "kv_heads")
_SIZES: Final = (*_NEEDED, "head_dim", "active_parameters")


def find_shape(model: str) -> ModelShape:
    """Return the shape of a local folder, a known model or one on the hub; raise PlanError."""
    try:
        found = read_shape(model) or _hub_shape(model)
    except (OSError, ValueError) as error:
        raise PlanError(f"{model}: config.json cannot be read ({error}).") from None
    if found is None:
        raise PlanError(
            f"{model}: is no folder with a config.json, and not one of {', '.join(KNOWN)}; the "
            "hub could not be asked. Give a folder, or the sizes: --by-hand "
            "parameters=8.03e9,layers=32,heads=32,kv_heads=8."
        )
    return found


def _hub_shape(model: str) -> ModelShape | None:
    if model.count("/") != 1 or model.startswith((".", "~", "/")):
        return None
    try:
        from huggingface_hub import hf_hub_download

        file = hf_hub_download(model, "config.json")
    except (ImportError, OSError, ValueError):  # not installed, not reached, no such model, gated
        return None
    return read_shape(str(Path(file).parent))


def shape_by_hand(text: str, *, length: int) -> ModelShape:
    """Return the shape of `parameters=8.03e9,layers=32,heads=32,kv_heads=8,head_dim=128`.

    `head_dim` is 128 by default. `active_parameters` are the weights that one token uses, for a
    mixture of experts. `length` is the context in tokens. Raises PlanError.
    """
    given = {name: int(number) for name, number in _pairs(text)}
    if missing := [name for name in _NEEDED if name not in given]:
        raise PlanError(f"--by-hand: {missing[0]} is missing. Give {', '.join(_SIZES)}.")
    heads, kv_heads = given["heads"], given["kv_heads"]
    if heads % kv_heads:
        raise PlanError(f"--by-hand: kv_heads, {kv_heads}, does not divide heads, {heads}.")
    active = given.get("active_parameters")
    if active is not None and active > given["parameters"]:
        raise PlanError(f"--by-hand: active_parameters, {active}, is above parameters. Lower it.")
    head_dim = given.get("head_dim", 128)
    return ModelShape(
        architecture="unknown",
        hidden_size=heads * head_dim,
        intermediate_size=0,
        layers=given["layers"],
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        vocab_size=0,
        max_position_embeddings=length,
        parameters_given=given["parameters"],
        active_given=active,
    )


def _pairs(text: str) -> Iterator[tuple[str, float]]:
    for part in text.split(","):
        name, _, number = (text.strip() for text in part.partition("="))
        if name not in _SIZES:
            raise PlanError(f"--by-hand: {name} is no size. Give {', '.join(_SIZES)}.")
        try:
            value = float(number)
        except ValueError:
            value = 0.0
        if not 1 <= value < 1e15:
            raise PlanError(f"--by-hand: {name} must be a number of 1 or more, such as {name}=32.")
        yield name, value

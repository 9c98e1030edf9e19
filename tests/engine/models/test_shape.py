"""Sizes of models from small config.json files, and sums of weights that were published."""

import json
from pathlib import Path

from engine.models.folder import kv_bytes_per_token, model_context_length
from engine.models.shape import read_shape

TEXT = {
    "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 8,
    "num_key_value_heads": 4, "vocab_size": 512, "max_position_embeddings": 4096,
    "rope_scaling": {"rope_type": "llama3"},
}  # fmt: skip


def test_sizes_below_text_config_are_those_of_the_same_sizes_at_the_top(tmp_path: Path) -> None:
    nested, flat = tmp_path / "nested", tmp_path / "flat"
    for folder, sizes in ((nested, {"text_config": TEXT}), (flat, TEXT)):
        folder.mkdir()
        config = {"architectures": ["SomeForConditionalGeneration"], **sizes}
        (folder / "config.json").write_text(json.dumps(config))
    assert read_shape(str(nested)) == read_shape(str(flat)) is not None
    assert model_context_length(nested) == 4096
    assert kv_bytes_per_token(nested) == kv_bytes_per_token(flat) == 2 * 2 * 4 * 8 * 2

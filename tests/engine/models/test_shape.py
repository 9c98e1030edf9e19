"""Sizes of models from small config.json files, and sums of weights that were published."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.models.folder import kv_bytes_per_token, model_context_length
from engine.models.shape import KNOWN, read_shape

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


# Sizes of a config.json, the published number of parameters, and its source.
PUBLISHED = {
    "Mixtral 8x7B: 46.7 B, Mistral AI": (46.7e9, {
        "architectures": ["MixtralForCausalLM"], "hidden_size": 4096, "intermediate_size": 14336,
        "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
        "num_local_experts": 8, "vocab_size": 32000, "max_position_embeddings": 32768,
        "tie_word_embeddings": False,
    }),
    "Qwen3-30B-A3B: 30.5 B, its model card": (30.5e9, {
        "architectures": ["Qwen3MoeForCausalLM"], "hidden_size": 2048, "intermediate_size": 6144,
        "moe_intermediate_size": 768, "num_experts": 128, "num_hidden_layers": 48,
        "num_attention_heads": 32, "num_key_value_heads": 4, "head_dim": 128,
        "vocab_size": 151936, "max_position_embeddings": 262144, "tie_word_embeddings": False,
    }),
    "gpt-oss-20b: 20.9 B, its model card": (20.9e9, {
        "architectures": ["GptOssForCausalLM"], "hidden_size": 2880, "intermediate_size": 2880,
        "num_local_experts": 32, "num_hidden_layers": 24, "num_attention_heads": 64,
        "num_key_value_heads": 8, "head_dim": 64, "vocab_size": 201088,
        "max_position_embeddings": 131072, "tie_word_embeddings": False,
    }),
    "DBRX: 132 B, Databricks": (132e9, {
        "architectures": ["DbrxForCausalLM"], "d_model": 6144, "n_heads": 48, "n_layers": 40,
        "max_seq_len": 32768, "vocab_size": 100352, "attn_config": {"kv_n_heads": 8},
        "ffn_config": {"ffn_hidden_size": 10752, "moe_num_experts": 16},
    }),
    "Llama 3 8B: 8.03 B, Meta": (8.03e9, {
        "architectures": ["LlamaForCausalLM"], "hidden_size": 4096, "intermediate_size": 14336,
        "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
        "vocab_size": 128256, "max_position_embeddings": 8192,
    }),
    "Llama 3.3 70B: 70.6 B, Meta": (70.6e9, {
        "architectures": ["LlamaForCausalLM"], "hidden_size": 8192, "intermediate_size": 28672,
        "num_hidden_layers": 80, "num_attention_heads": 64, "num_key_value_heads": 8,
        "vocab_size": 128256, "max_position_embeddings": 131072,
    }),
}  # fmt: skip


@pytest.mark.parametrize(("parameters", "config"), PUBLISHED.values(), ids=PUBLISHED)
def test_the_weights_are_those_that_were_published(
    tmp_path: Path, parameters: float, config: dict[str, Any]
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    shape = read_shape(str(tmp_path))
    assert shape is not None
    assert shape.parameters == pytest.approx(parameters, rel=0.01)
    assert shape.weight_bytes == 2 * shape.parameters


# The published number of parameters that one token uses, of as many experts.
ACTIVE = {
    "Mixtral 8x7B: 46.7 B, Mistral AI": (12.9e9, 2),
    "Qwen3-30B-A3B: 30.5 B, its model card": (3.3e9, 8),
    "DBRX: 132 B, Databricks": (36e9, 4),
}


@pytest.mark.parametrize("name", ACTIVE)
def test_a_step_reads_the_experts_of_its_tokens_until_those_could_be_all(
    tmp_path: Path, name: str
) -> None:
    config, (active, experts) = PUBLISHED[name][1], ACTIVE[name]
    config = {"num_experts_per_tok": experts, "ffn_config": {}} | config
    if config["ffn_config"]:
        config["ffn_config"] |= {"moe_top_k": experts}
    (tmp_path / "config.json").write_text(json.dumps(config))
    shape = read_shape(str(tmp_path))
    assert shape is not None
    assert shape.active_parameters == shape.parameters_read(1) == pytest.approx(active, rel=0.03)
    enough = shape.experts // experts
    assert shape.parameters_read(enough) == shape.parameters_read(100) == shape.parameters
    assert active < shape.parameters_read(enough - 1) < shape.parameters


def test_a_dense_model_reads_all_weights_for_any_batch() -> None:
    shape = KNOWN["meta-llama/Llama-3.3-70B-Instruct"]
    assert shape.active_parameters == shape.parameters_read(48) == shape.parameters


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        ("Qwen/Qwen3-30B-A3B-Instruct-2507", 30.5e9),
        ("meta-llama/Llama-3.3-70B-Instruct", 70.6e9),
        ("mistralai/Mistral-7B-Instruct-v0.3", 7.25e9),
    ],
)
def test_a_known_name_has_the_published_weights(model: str, parameters: float) -> None:
    assert KNOWN[model].parameters == pytest.approx(parameters, rel=0.01)


@pytest.mark.parametrize(
    ("heads", "degree", "padded"),
    [
        ((64, 8), 24, (72, 24)), ((32, 8), 24, (48, 24)), ((28, 4), 8, (32, 8)),
        ((32, 8), 12, (36, 36)), ((32, 8), 16, (32, 16)), ((32, 8), 4, (32, 8)),
        ((40, 40), 24, (48, 48)), ((8, 8), 24, (24, 24)),
    ],
)  # fmt: skip
def test_heads_are_padded_as_the_neuron_library_pads_them(
    heads: tuple[int, int], degree: int, padded: tuple[int, int]
) -> None:
    shape = replace(KNOWN["meta-llama/Llama-3.3-70B-Instruct"], heads=heads[0], kv_heads=heads[1])
    sharded = shape.sharded(degree)
    assert (sharded.heads, sharded.kv_heads) == padded

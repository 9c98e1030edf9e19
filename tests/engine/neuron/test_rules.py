"""Every refusal of a neuron device: the key, the value, the reason and the fix."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.config import ConfigError, parse_config

LLAMA = "meta-llama/Meta-Llama-3-8B-Instruct"
DEVICE = {"kind": "neuron", "instance": "inf2.24xlarge", "tensor_parallel_size": 2}
CACHING = {"prefix_caching": True, "block_size": 32}
ENGINE = {"model": LLAMA, "max_num_seqs": 4, "max_model_len": 4096}


def parse(engine: dict[str, Any], device: dict[str, Any]) -> Any:
    merged = {k: v for k, v in (ENGINE | engine).items() if v is not None}
    models = [{"id": "m", "engine": merged | {"device": DEVICE | device}}]
    return parse_config({"models": models}, "inf2.yaml")


Case = tuple[dict[str, Any], dict[str, Any], str]
# The keys of the engine, those of its device, and the refusal after `models.0.engine.`
REFUSED: dict[str, Case] = {
    "no degree of inf2": (
        {}, {"tensor_parallel_size": 3},
        r"device.tensor_parallel_size: 3 is no degree of inf2. Give one of 1, 2, 4, 8, 24",
    ),
    "a degree that does not divide the heads": (
        {}, {"tensor_parallel_size": 24, "instance": "inf2.48xlarge"},
        r"device.tensor_parallel_size: 24 does not divide .* 32 attention heads. Give one of 1, 2",
    ),
    "more cores than there are": (
        {}, {"tensor_parallel_size": 4, "instance": "inf2.8xlarge"},
        r"device.tensor_parallel_size: 4 is more than the 2 NeuronCores of inf2.8xlarge. Lower it",
    ),
    "cores of another number": (
        {}, {"cores": [0, 1, 2]},
        r"device.cores: must name 2 cores",
    ),
    "context buckets that do not ascend": (
        {}, {"context_encoding_buckets": [1024, 512, 4096]},
        r"device.context_encoding_buckets: must be positive and ascend, e.g. \[256, 512",
    ),
    "context buckets that end too early": (
        {}, {"context_encoding_buckets": [512, 2048]},
        r"device.context_encoding_buckets: must end at the longest prompt, 4096: .* Make 4096",
    ),
    "context buckets beyond the prompt": (
        {}, {"context_encoding_buckets": [512, 4096], "max_prompt_length": 1024},
        r"device.context_encoding_buckets: must end at the longest prompt, 1024",
    ),
    "generation buckets that end elsewhere": (
        {}, {"token_generation_buckets": [2048]},
        r"device.token_generation_buckets: must end at max_model_len, 4096",
    ),
    "a prompt above the context": (
        {}, {"max_prompt_length": 5000},
        r"device.max_prompt_length: 5000 is above max_model_len, 4096. Lower it",
    ),
    "a context above the model's": (
        {"max_model_len": 10_000}, {},
        r"max_model_len: 10000 is above the 8192 tokens .* Lower it",
    ),
    "a model that does not fit": (
        {"max_num_seqs": 64}, {},
        r"max_num_seqs: 64 slots of 4096 tokens take 34.4 GB beside 16.1 GB of weights, and 2 "
        r"NeuronCores have 34.4 GB, of which 10% must be free. Lower it to 21 or less",
    ),
    "a model that fits no slot": (
        {"max_num_seqs": 1}, {"tensor_parallel_size": 1},
        r"max_num_seqs: .* Raise tensor_parallel_size, or take a smaller model",
    ),
    "caching without a block size": (
        {}, {"prefix_caching": True},
        r"device.block_size: must be given with prefix_caching: true, e.g. 32",
    ),
    "a block size without caching": (
        {}, {"block_size": 32},
        r"device.block_size: is only for prefix_caching: true. Leave it out",
    ),
    "slots left out": (
        {"max_num_seqs": None}, {},
        r"max_num_seqs: must be given: it is compiled, and the plugin's default is 128",
    ),
    "a tuning key with a hyphen": (
        {}, {"override_neuron_config": {"fused-qkv": True}},
        r"device.override_neuron_config: fused-qkv is not for the file to set",
    ),
    "a key that the gateway sets": (
        {}, {"override_neuron_config": {"on_device_sampling_config": None}},
        r"device.override_neuron_config: on_device_sampling_config is not for the file to set",
    ),
    "the kernel left to the library": (
        {}, {"override_neuron_config": {"attn_kernel_enabled": None}},
        r"device.override_neuron_config: attn_kernel_enabled must be true or false: null leaves",
    ),
    "the kernel with prefix caching": (
        {}, CACHING | {"override_neuron_config": {"attn_kernel_enabled": True}},
        r"device.override_neuron_config: attn_kernel_enabled: true with prefix_caching: true "
        r"compiles RangeSelect, .* \(aws-neuron-sdk#1365\). Leave out one of the two",
    ),
    "an unknown instance": (
        {}, {"instance": "inf2.large"},
        r"device.instance: Input should be 'inf2.xlarge'",
    ),
    "an unknown plugin": (
        {}, {"plugin": "0.6.0"}, r"device.plugin: Input should be '0.4.1' or '0.5.0'",
    ),
    "an unknown key": ({}, {"slots": 4}, r"device.slots is not a known key. Remove it"),
}  # fmt: skip


@pytest.mark.parametrize(("engine", "device", "refusal"), REFUSED.values(), ids=REFUSED)
def test_it_is_refused_when_the_file_is_read(
    engine: dict[str, Any], device: dict[str, Any], refusal: str
) -> None:
    with pytest.raises(ConfigError, match=rf"^inf2.yaml: models.0.engine.{refusal}"):
        parse(engine, device)


@pytest.mark.parametrize(
    ("slots", "length", "degree"), [(10, 4096, 2), (8, 8192, 2), (32, 8192, 4), (32, 4096, 8)]
)
def test_what_others_ran_is_accepted(slots: int, length: int, degree: int) -> None:
    parse(
        {"max_num_seqs": slots, "max_model_len": length},
        {"tensor_parallel_size": degree, "instance": "inf2.48xlarge"},
    )


def test_a_model_of_a_local_folder_is_measured_too(tmp_path: Path) -> None:
    sizes = {
        "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30, "vocab_size": 49152,
        "num_attention_heads": 9, "num_key_value_heads": 3, "max_position_embeddings": 2048,
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(sizes))
    with pytest.raises(ConfigError, match="2 does not divide the model's 9 attention heads"):
        parse({"model": str(tmp_path), "max_model_len": 1024}, {})


def test_without_a_known_model_the_rest_is_checked() -> None:
    parse({"model": "someone/model"}, {})
    with pytest.raises(ConfigError, match="must end at the longest prompt"):
        parse({"model": "someone/model"}, {"context_encoding_buckets": [512]})

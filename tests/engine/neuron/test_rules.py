"""Every refusal of a neuron device: the key, the value, the reason and the fix."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine import EngineDead, create_engine
from gateway.config import ConfigError, parse_config

LLAMA = "meta-llama/Meta-Llama-3-8B-Instruct"
DEVICE = {"kind": "neuron", "instance": "inf2.24xlarge", "tensor_parallel_size": 2}
CACHING = {"prefix_caching": True, "block_size": 32}
ENGINE = {"model": LLAMA, "max_num_seqs": 4, "max_model_len": 4096}


def parse(engine: dict[str, Any], device: dict[str, Any]) -> Any:
    merged = {k: v for k, v in (ENGINE | engine).items() if v is not None}
    models = [{"id": "m", "engine": merged | {"device": DEVICE | device}}]
    return parse_config({"models": models}, "inf2.yaml")


QWEN_MOE = "Qwen/Qwen3-30B-A3B-Instruct-2507"
Case = tuple[dict[str, Any], dict[str, Any], str]
# The keys of the engine, those of its device, and the refusal after `models.0.engine.`
REFUSED: dict[str, Case] = {
    "no degree of inf2": (
        {}, {"tensor_parallel_size": 3},
        r"device.tensor_parallel_size: 3 is no degree of inf2. Give one of 1, 2, 4, 8, 12, 16, 24",
    ),
    "a degree that the runtime does not connect on trn1": (
        {}, {"tensor_parallel_size": 4, "instance": "trn1.32xlarge"},
        r"device.tensor_parallel_size: 4 is no degree of trn1. Give one of 1, 2, 8, 16, 32",
    ),
    "more cores than trn1.2xlarge has": (
        {}, {"tensor_parallel_size": 8, "instance": "trn1.2xlarge"},
        r"device.tensor_parallel_size: 8 is more than the 2 NeuronCores of trn1.2xlarge. Lower it",
    ),
    "a compile on trn1.2xlarge": (
        {}, {"instance": "trn1.2xlarge", "compile": "allowed"},
        r"device.compile: a compile takes 38 GiB of host memory, .* trn1.2xlarge has 32",
    ),
    "more cores than there are": (
        {}, {"tensor_parallel_size": 4, "instance": "inf2.8xlarge"},
        r"device.tensor_parallel_size: 4 is more than the 2 NeuronCores of inf2.8xlarge. Lower it",
    ),
    "cores of another number": (
        {}, {"cores": [0, 1, 2]},
        r"device.cores: \[0, 1, 2\] must name 2 cores, .* such as \[0, 1\]",
    ),
    "cores with a gap": (
        {}, {"cores": [0, 5]}, r"device.cores: \[0, 5\] must be contiguous and ascend",
    ),
    "cores that descend": (
        {}, {"cores": [1, 0]}, r"device.cores: \[1, 0\] must be contiguous and ascend",
    ),
    "a core twice": (
        {}, {"cores": [1, 1]}, r"device.cores: \[1, 1\] must be contiguous and ascend",
    ),
    "cores of another instance": (
        {}, {"cores": [22, 23], "instance": "inf2.8xlarge"},
        r"device.cores: \[22, 23\] must be on the instance, whose 2 cores are 0 to 1. Give others",
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
    "a mixture of experts that does not fit": (
        {"model": QWEN_MOE, "max_num_seqs": 16}, {},
        r"max_num_seqs: 16 slots of 4096 tokens take 6.4 GB beside 61.1 GB of weights",
    ),
    "fewer slots than Qwen3-MoE is compiled for": (
        {"model": QWEN_MOE, "max_num_seqs": 8}, {"tensor_parallel_size": 8},
        r"max_num_seqs: 8 is below 16, the smallest batch .* Qwen3MoeForCausalLM \(known issues "
        r"of SDK 2.28\). Raise it",
    ),
    "prefix caching for a mixture of experts": (
        {"model": QWEN_MOE, "max_num_seqs": 16},
        {"tensor_parallel_size": 8, "prefix_caching": True, "block_size": 32},
        r"device.prefix_caching: is not for a mixture of experts: no guide.* Set it to false",
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
    "a text for a boolean": (
        {}, {"override_neuron_config": {"attn_kernel_enabled": "no"}},
        r"device.override_neuron_config: attn_kernel_enabled is 'no' and must be of type boolean",
    ),
    "a number for a boolean": (
        {}, {"override_neuron_config": {"fused_qkv": 1}},
        r"device.override_neuron_config: fused_qkv is 1 and must be of type boolean",
    ),
    "an unknown type of numbers": (
        {}, {"override_neuron_config": {"quantized": True, "quantization_dtype": "int3"}},
        r"device.override_neuron_config: quantization_dtype is 'int3' and must be one of int8",
    ),
    "logical cores of another chip": (
        {}, {"override_neuron_config": {"logical_nc_config": 2}},
        r"device.override_neuron_config: logical_nc_config is 2 and must be one of 1",
    ),
    "quantization that is not on": (
        {}, {"override_neuron_config": {"quantization_dtype": "int8"}},
        r"device.override_neuron_config: quantization_dtype has no effect without quantized: true",
    ),
    "quantized weights that are not kept": (
        {}, {"override_neuron_config": {"quantized": True, "save_sharded_checkpoint": False}},
        r"device.override_neuron_config: save_sharded_checkpoint: false loads .* Give quantized_ch",
    ),
    "half of a quantized KV cache": (
        {}, {"override_neuron_config": {"kv_cache_quant": True}},
        r"device.override_neuron_config: kv_cache_quant: true sets .* Give both",
    ),
    "the other half": (
        {}, {"override_neuron_config": {"kv_quant_config": {"direct_cast": True}}},
        r"device.override_neuron_config: kv_cache_quant: true sets .* Give both",
    ),
    "decode batches above the slots": (
        {}, {"override_neuron_config": {"token_generation_batches": [2, 8]}},
        r"device.override_neuron_config: token_generation_batches .* from 1 to max_num_seqs, 4",
    ),
    "decode batches with prefix caching": (
        {}, {"prefix_caching": True, "block_size": 32,
             "override_neuron_config": {"token_generation_batches": [2]}},
        r"device.override_neuron_config: token_generation_batches is not for prefix_caching",
    ),
    "prefix caching with one slot": (
        {"max_num_seqs": 1}, {"prefix_caching": True, "block_size": 32},
        r"max_num_seqs: must be 2 or more with prefix_caching",
    ),
    "the kernel left to the library": (
        {}, {"override_neuron_config": {"attn_kernel_enabled": None}},
        r"device.override_neuron_config: attn_kernel_enabled is None and must be of type boolean",
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
        {}, {"plugin": "0.6.0"}, r"device.plugin: Input should be '0.4.1', '0.5.0' or '0.5.3'",
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


@pytest.mark.parametrize("instance", ["trn1.32xlarge", "trn1n.32xlarge"])
@pytest.mark.parametrize(("degree", "cores"), [(8, list(range(24, 32))), (32, None)])
def test_trn1_has_the_same_cores_and_more_of_them(
    instance: str, degree: int, cores: list[int] | None
) -> None:
    parse({}, {"instance": instance, "tensor_parallel_size": degree, "cores": cores})


def test_quantized_weights_and_cache_are_counted() -> None:
    int8 = {"quantized": True, "quantization_dtype": "int8"}
    one_core = {"tensor_parallel_size": 1, "override_neuron_config": int8}
    parse({"max_num_seqs": 8}, one_core)
    with pytest.raises(ConfigError, match=r"16 slots of 4096 tokens take 8.6 GB beside 9.1 GB"):
        parse({"max_num_seqs": 16}, one_core)
    fp8_cache = {"kv_cache_quant": True, "kv_quant_config": {"direct_cast": True}}
    parse({"max_num_seqs": 16}, one_core | {"override_neuron_config": int8 | fp8_cache})


def test_the_last_cores_of_an_instance_are_accepted() -> None:
    parse({}, {"cores": [10, 11]})


@pytest.mark.parametrize("degree", [12, 16, 24])
def test_degrees_that_do_not_divide_the_heads_are_accepted(degree: int) -> None:
    parse({}, {"tensor_parallel_size": degree, "instance": "inf2.48xlarge"})


def test_a_mixture_of_experts_that_others_ran_is_accepted() -> None:
    parse({"model": QWEN_MOE, "max_num_seqs": 16}, {"tensor_parallel_size": 8})


SIZES = {
    "architectures": ["LlamaForCausalLM"], "hidden_size": 576, "intermediate_size": 1536,
    "num_hidden_layers": 30, "vocab_size": 49152, "num_attention_heads": 9,
    "num_key_value_heads": 3, "max_position_embeddings": 2048,
}  # fmt: skip


def folder(path: Path, config: dict[str, Any]) -> str:
    (path / "config.json").write_text(json.dumps(config))
    return str(path)


def test_a_model_of_a_local_folder_is_measured_too(tmp_path: Path) -> None:
    model = folder(tmp_path, SIZES)
    parse({"model": model, "max_model_len": 2048}, {})
    with pytest.raises(ConfigError, match="max_model_len: 2049 is above the 2048 tokens"):
        parse({"model": model, "max_model_len": 2049}, {})


NESTED = {"text_config": {k: v for k, v in SIZES.items() if k != "architectures"}}
# The config.json of a model, and the refusal of its key `model`.
MODELS: dict[str, tuple[dict[str, Any], str]] = {
    "Mllama": (
        NESTED | {"architectures": ["MllamaForConditionalGeneration"]},
        r"MllamaForConditionalGeneration reads images\. The plugin's loader .* Give a text model",
    ),
    "Llava and Pixtral": (
        NESTED | {"architectures": ["LlavaForConditionalGeneration"]}, "reads images",
    ),
    "Llama 4": (NESTED | {"architectures": ["Llama4ForConditionalGeneration"]}, "reads images"),
    "Qwen2-VL": (SIZES | {"architectures": ["Qwen2VLForConditionalGeneration"]}, "reads images"),
    "Qwen3-VL": (NESTED | {"architectures": ["Qwen3VLForConditionalGeneration"]}, "reads images"),
    "Gemma 3, whose nested sizes are incomplete": (
        {"architectures": ["Gemma3ForConditionalGeneration"], "text_config": {"hidden_size": 3840}},
        "Gemma3ForConditionalGeneration is not known to the Neuron library. Give one of ",
    ),
    "sizes that are missing": (
        {"architectures": ["LlamaForCausalLM"], "hidden_size": 64},
        r"cannot be checked: config.json has no num_attention_heads\. Give a complete config.json",
    ),
    "no architecture": ({"hidden_size": 64}, "config.json has no architectures"),
}  # fmt: skip


@pytest.mark.parametrize("method", ["awq", "gptq", "compressed-tensors", "mxfp4"])
def test_a_checkpoint_that_cannot_be_read_is_refused_by_its_method(
    tmp_path: Path, method: str
) -> None:
    model = folder(tmp_path, SIZES | {"quantization_config": {"quant_method": method}})
    with pytest.raises(ConfigError, match=f"model: the checkpoint is quantized with {method}"):
        parse({"model": model, "max_model_len": 2048}, {})


def test_gpt_oss_is_read_as_it_is_published(tmp_path: Path) -> None:
    quantized = {"quantization_config": {"quant_method": "mxfp4"}}
    model = folder(tmp_path, SIZES | quantized | {"architectures": ["GptOssForCausalLM"]})
    parse({"model": model, "max_model_len": 2048}, {})


@pytest.mark.parametrize(("config", "refusal"), MODELS.values(), ids=MODELS)
def test_a_model_that_cannot_run_is_refused(
    tmp_path: Path, config: dict[str, Any], refusal: str
) -> None:
    with pytest.raises(ConfigError, match=rf"models.0.engine.model: .*{refusal}"):
        parse({"model": folder(tmp_path, config), "max_model_len": None}, {})


def test_a_config_that_is_not_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ConfigError, match=r"engine.model: .* cannot be checked"):
        parse({"model": str(tmp_path)}, {})


async def test_a_model_of_the_hub_is_checked_when_it_is_there(tmp_path: Path) -> None:
    config = parse({"model": "someone/model"}, {}).models[0].engine
    folder(tmp_path, SIZES | {"architectures": ["Gemma3ForCausalLM"]})
    engine = create_engine("m", config.model_copy(update={"model": str(tmp_path)}))
    with pytest.raises(EngineDead, match="Gemma3ForCausalLM is not known"):
        await engine.start()


def test_without_a_known_model_the_rest_is_checked() -> None:
    parse({"model": "someone/model"}, {})
    with pytest.raises(ConfigError, match="must end at the longest prompt"):
        parse({"model": "someone/model"}, {"context_encoding_buckets": [512]})

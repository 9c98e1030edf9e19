"""`neuron-gateway check` for inf2: what it shows of a config, without vLLM and without a model."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.commands.main import app

ROOT = Path(__file__).parents[3]
FILE = """\
applications:
- import_path: gateway.serving.ray_app:build_app
  args:
    models:
    - id: llama
      engine:
        model: MODEL
        max_num_seqs: 10
        max_model_len: 4096
        device: {kind: neuron, instance: inf2.24xlarge, tensor_parallel_size: 2}
"""


def file(folder: Path, model: str = "meta-llama/Meta-Llama-3-8B-Instruct") -> str:
    path = folder / "inf2.yaml"
    path.write_text(FILE.replace("MODEL", model))
    return str(path)


def check(*arguments: str) -> str:
    result = CliRunner(env={"COLUMNS": "120"}).invoke(app, ["check", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_memory_of_llama_3_8b_is_within_5_percent_of_what_was_measured(tmp_path: Path) -> None:
    found = re.search(r"([\d.]+) GB for the weights and 40,960 KV tokens", check(file(tmp_path)))
    assert found is not None
    assert float(found[1]) == pytest.approx(21.3, rel=0.05)


def test_cores_versions_and_price_are_shown(tmp_path: Path) -> None:
    shown = check(file(tmp_path))
    assert "cores: 0, 1 of 12 on inf2.24xlarge, which has cores for 6 such replicas" in shown
    assert "price: $1.082 an hour per replica" in shown
    assert "versions: plugin 0.4.1 on vLLM 0.13.0, Neuron SDK 2.28.0" in shown


def test_padding_is_shown_for_lengths_given_or_in_a_file(tmp_path: Path) -> None:
    lengths = tmp_path / "lengths.txt"
    lengths.write_text("128\n128\n1536\n")
    for given in (str(lengths), "128,128,1536"):
        shown = check(file(tmp_path), "--lengths", given)
        assert re.search(r"│\s+256 │\s+2 │\s+50% │", shown)
        assert re.search(r"│\s+512 │\s+│\s+│", shown)
        assert re.search(r"│\s+2,048 │\s+1 │\s+25% │", shown)
        assert "30% of all prefilled positions are padding" in shown


@pytest.mark.parametrize(
    ("lengths", "refusal"),
    [
        ("12,x", "--lengths: 12,x is neither a file of numbers nor a list such as 200,1500."),
        ("9000", "--lengths: 9000 is not between 1 and 4096, the longest prompt."),
        ("0", "--lengths: 0 is not between 1 and 4096, the longest prompt."),
    ],
)
def test_lengths_that_cannot_be_are_refused(tmp_path: Path, lengths: str, refusal: str) -> None:
    result = CliRunner().invoke(app, ["check", file(tmp_path), "--lengths", lengths])
    assert (result.exit_code, result.stdout) == (2, "")
    assert refusal in result.stderr


def test_arguments_and_environment_are_those_that_are_passed(tmp_path: Path) -> None:
    shown = check(file(tmp_path))
    assert '  VLLM_WORKER_MULTIPROC_METHOD: "spawn"' in shown
    assert '  NEURON_RT_VISIBLE_CORES: "0-1"' in shown
    assert "  max_num_seqs: 10" in shown
    found = re.search(r"  additional_config: (.*)", shown)
    assert found is not None
    assert json.loads(found[1])["override_neuron_config"]["context_encoding_buckets"][-1] == 4096


CONFIG = {
    "architectures": ["LlamaForCausalLM"], "hidden_size": 64, "intermediate_size": 128,
    "num_hidden_layers": 2, "num_attention_heads": 8, "vocab_size": 512,
    "max_position_embeddings": 4096,
}  # fmt: skip


def local(folder: Path, **config: Any) -> str:
    """Write a model's config.json; return the folder."""
    model = folder / "model"
    model.mkdir()
    (model / "config.json").write_text(json.dumps(CONFIG | config))
    return str(model)


def test_a_model_that_is_there_shows_the_hash_of_its_artifacts(tmp_path: Path) -> None:
    shown = check(file(tmp_path, local(tmp_path)))
    assert re.search(r"No compiled artifacts [0-9a-f]{16} in", shown)
    assert "risk: " not in shown


QWEN_14B = {
    "architectures": ["Qwen2ForCausalLM"], "hidden_size": 5120, "num_hidden_layers": 48,
    "num_key_value_heads": 2,
}  # fmt: skip
QWEN_8B = {"architectures": ["Qwen3ForCausalLM"], "hidden_size": 4096, "num_hidden_layers": 36}
# Sizes of a config.json, keys of the engine or its device, and the risk with its source.
RISKS: dict[str, tuple[dict[str, Any], dict[str, str], str]] = {
    "llama3 ropes": ({"rope_scaling": {"rope_type": "llama3"}}, {}, "rope_type llama3"),
    "Qwen2.5-14B": (QWEN_14B, {}, r"Qwen2.5-14B: .* NCC_IXCG856 \(aws-neuron-sdk#1303\)"),
    "Qwen3-8B": (QWEN_8B, {}, r"Qwen3-8B: .* NCC_IXCG856 \(aws-neuron-sdk#1303\)"),
    "tied embeddings": ({"tie_word_embeddings": True}, {}, r"tied embeddings: .* \(helix#2724\)"),
    "a long context": (
        {"max_position_embeddings": 16384}, {"max_model_len: 4096": "max_model_len: 16384"},
        r"a context of 16384 tokens: .* \(aws-neuron-sdk#1365\)",
    ),
    "prefix caching": (
        {"max_position_embeddings": 2048},
        {"size: 2}": "size: 2, prefix_caching: true, block_size: 32}", "len: 4096": "len: 2048"},
        r"prefix_caching: .* \(aws-neuron-sdk#1304 and #1365",
    ),
    "kernels from SDK 2.29 on": (
        {}, {"size: 2}": "size: 2, plugin: 0.5.0}"},
        r"from SDK 2.29 on AWS does not support .* kernels on Inf2 .*AWS's notes",
    ),
    "kernels with SDK 2.31": (
        {}, {"size: 2}": "size: 2, plugin: 0.5.3}"}, r"from SDK 2.29 on AWS does not support",
    ),
    "the speed of SDK 2.31": (
        {}, {"size: 2}": "size: 2, plugin: 0.5.3}"},
        r"SDK 2.31 takes .* was 13% slower \(aws-neuron-sdk#1370",
    ),
    "a plugin that could not be read": (
        {}, {"size: 2}": "size: 2, plugin: 0.5.3}"}, r"the source of this plugin could not be had",
    ),
    "dense Mistral": (
        {"architectures": ["MistralForCausalLM"]}, {}, r"dense Mistral runs as LlamaForCausalLM",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("config", "edits", "risk"), RISKS.values(), ids=RISKS)
def test_a_risk_is_a_line_with_its_source(
    tmp_path: Path, config: dict[str, Any], edits: dict[str, str], risk: str
) -> None:
    path = Path(file(tmp_path, local(tmp_path, **config)))
    text = path.read_text()
    for old, new in edits.items():
        text = text.replace(old, new)
    path.write_text(text)
    assert re.search(f"risk: {risk}", check(str(path)).replace("\n", " "))


def test_a_model_that_fails_with_the_default_sdk_alone_is_no_risk_with_another(
    tmp_path: Path,
) -> None:
    path = Path(file(tmp_path, local(tmp_path, **QWEN_8B)))
    path.write_text(path.read_text().replace("size: 2}", "size: 2, plugin: 0.5.0}"))
    assert "NCC_IXCG856" not in check(str(path))


def test_dense_mistral_is_given_to_the_decoder_of_llama(tmp_path: Path) -> None:
    shown = check(file(tmp_path, "mistralai/Mistral-7B-Instruct-v0.3"))
    assert 'hf_overrides: {"architectures": ["LlamaForCausalLM"]}' in shown
    assert "hf_overrides" not in check(file(tmp_path))


@pytest.mark.parametrize("given", ["", ", quantized_checkpoints_path: /models/int8"])
def test_quantized_weights_have_a_folder(tmp_path: Path, given: str) -> None:
    path = Path(file(tmp_path))
    keys = f"size: 2, override_neuron_config: {{quantized: true{given}}}}}"
    path.write_text(path.read_text().replace("size: 2}", keys))
    found = re.search(r'"quantized_checkpoints_path": "(.*?)"', check(str(path)))
    assert found is not None
    wanted = "/models/int8" if given else r".*/\.[0-9a-f]{16}\.work/quantized"
    assert re.fullmatch(wanted, found[1])


@pytest.mark.parametrize(
    ("overrides", "fp8"),
    [
        ("{quantized: true, quantization_dtype: f8e4m3}", True),
        ("{kv_cache_quant: true, kv_quant_config: {direct_cast: true}}", True),
        ("{quantized: true, quantization_dtype: int8}", False),
    ],
)
def test_fp8_sets_the_variables_that_it_needs(tmp_path: Path, overrides: str, fp8: bool) -> None:
    path = Path(file(tmp_path))
    keys = f"size: 2, override_neuron_config: {overrides}}}"
    path.write_text(path.read_text().replace("size: 2}", keys))
    assert ('UNSAFE_FP8FNCAST: "1"' in check(str(path))) is fp8


@pytest.mark.parametrize("sampling", ["cpu", "on_device"])
def test_sampling_on_the_cpu_compiles_nothing_while_it_serves(
    tmp_path: Path, sampling: str
) -> None:
    path = Path(file(tmp_path))
    path.write_text(path.read_text().replace("size: 2}", f"size: 2, sampling: {sampling}}}"))
    assert ('TORCHDYNAMO_DISABLE: "1"' in check(str(path))) is (sampling == "cpu")


def test_padded_heads_are_a_risk_with_their_numbers(tmp_path: Path) -> None:
    path = file(tmp_path, "meta-llama/Llama-3.3-70B-Instruct")
    text = Path(path).read_text().replace("24xlarge, tensor_parallel_size: 2", "48xlarge, "
                                          "tensor_parallel_size: 24")  # fmt: skip
    Path(path).write_text(text)
    shown = check(path)
    assert "pads 64 query heads to 72 and 8 KV heads to 24" in shown
    assert "takes 3 times the KV cache" in shown
    assert "NxDI pads" not in check(file(tmp_path))


def test_it_needs_neither_vllm_nor_ray(tmp_path: Path) -> None:
    code = f"""
import sys
for name in ("vllm", "torch", "transformers", "ray"):
    sys.modules[name] = None
sys.argv = ["neuron-gateway", "check", {file(tmp_path)!r}]
from gateway.commands.main import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "honoured to 255" in done.stdout

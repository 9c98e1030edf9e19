"""`neuron-gateway precompile`: what is refused before a download, a hash or a compile."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from gateway.commands.main import app

CONFIG = {
    "architectures": ["LlamaForCausalLM"], "hidden_size": 64, "intermediate_size": 128,
    "num_hidden_layers": 2, "num_attention_heads": 8, "vocab_size": 512,
    "max_position_embeddings": 4096,
}  # fmt: skip
NO_DEVICE = (
    "There is no /dev/neuron*. Give the pod aws.amazon.com/neuron, or run on an inf2 node. Or "
    "compile without a device: add --offline.\n"
)


def run(command: str, folder: Path, *options: str, model: str = "", **device: Any) -> Result:
    local = folder / "model"
    local.mkdir(exist_ok=True)
    (local / "config.json").write_text(json.dumps(CONFIG))
    (local / "model.safetensors").write_bytes(b"a weight")
    fixed = {"kind": "neuron", "instance": "inf2.8xlarge", "tensor_parallel_size": 2}
    engine = {"model": model or str(local), "max_model_len": 256, "max_num_seqs": 4}
    args = {"models": [{"id": "tiny", "engine": engine | {"device": fixed | device}}]}
    application = {"import_path": "gateway.serving.ray_app:build_app", "args": args}
    file = folder / "gateway.yaml"
    file.write_text(yaml.safe_dump({"applications": [application]}))
    return CliRunner().invoke(app, [command, str(file), *options])


@pytest.mark.parametrize("model", ["", "meta-llama/Meta-Llama-3-8B-Instruct"])
def test_without_a_device_nothing_is_hashed_or_downloaded(tmp_path: Path, model: str) -> None:
    done = run("precompile", tmp_path, model=model)
    assert (done.exit_code, done.stdout, done.stderr) == (2, "", NO_DEVICE)
    assert {file.name for file in (tmp_path / "model").iterdir()} == {
        "config.json", "model.safetensors",
    }  # fmt: skip


def test_offline_needs_the_plugin_before_it_hashes(tmp_path: Path) -> None:
    done = run("precompile", tmp_path, "--offline")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "vllm-neuron is not installed and device.plugin: 0.4.1 needs" in done.stderr


@pytest.mark.parametrize("cache", [None, "s3://bucket/graphs"])
def test_compiled_graphs_are_kept_beside_the_artifacts_or_where_the_config_says(
    tmp_path: Path, cache: str | None
) -> None:
    root = tmp_path / "artifacts"
    done = run("check", tmp_path, "--offline", artifacts=str(root), compile_cache=cache)
    kept = cache or f"{root}/compile-cache"
    assert f'  NEURON_COMPILE_CACHE_URL: "{kept}"' in done.stdout

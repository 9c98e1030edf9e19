"""`neuron-gateway doctor` on nodes made of files: what is seen, and the fix for what is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from engine import EngineOptions, Finding, Host, Neuron
from engine.neuron import PLUGIN_RELEASES
from gateway.commands.main import app

ROOT = Path(__file__).parents[4]
RELEASE = PLUGIN_RELEASES["0.4.1"]
INSTALLED = {"vllm": "0.13.0", "vllm-neuron": "0.4.1", **RELEASE.packages}
LLAMA = EngineOptions(model="meta-llama/Meta-Llama-3-8B-Instruct")


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """A good inf2.8xlarge below a folder."""
    files = {
        "sys/module/neuron/version": "2.26.5.0\n",
        "dev/neuron0": "",
        "opt/aws/neuron/bin/neuron-ls": "",
        "proc/meminfo": f"MemTotal: 1 kB\nMemAvailable: {100 * 2**20} kB\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def examine(
    node: Path, installed: dict[str, str] | None = None, **device: Any
) -> dict[str, Finding]:
    """Return the findings on a node with these packages instead of the right ones, by name."""
    config = {
        "kind": "neuron", "instance": "inf2.8xlarge", "tensor_parallel_size": 2,
        "artifacts": str(node / "artifacts"),
    }  # fmt: skip
    host = Host(root=node, installed_version=(INSTALLED | (installed or {})).get)
    return {f.name: f for f in Neuron(**(config | device)).examine(LLAMA, host)}


def test_a_good_node_needs_nothing(node: Path) -> None:
    found = examine(node)
    assert {f.name: f.state for f in found.values() if f.name != "disk"} == dict.fromkeys(
        ("driver", "tools", "devices", "cores free", "packages", "memory"), "ok"
    )


@pytest.mark.parametrize("version", [None, "2.25.4.0"])
def test_a_driver_that_is_missing_or_old_is_an_error(node: Path, version: str | None) -> None:
    file = node / "sys/module/neuron/version"
    file.unlink() if version is None else file.write_text(version)
    assert examine(node)["driver"].state == "error"
    assert "aws-neuronx-dkms 2.26" in examine(node)["driver"].fix


def test_without_devices_the_pod_lacks_a_limit(node: Path) -> None:
    (node / "dev/neuron0").unlink()
    assert examine(node)["devices"].state == "error"
    assert "aws.amazon.com/neuron" in examine(node)["devices"].fix


def test_more_cores_than_devices_have_are_an_error(node: Path) -> None:
    assert examine(node, cores=(2, 3))["devices"].state == "error"


def test_a_process_that_holds_a_device_is_named(node: Path) -> None:
    fd = node / "proc/4711/fd"
    fd.mkdir(parents=True)
    (fd / "7").symlink_to("/dev/neuron0")
    (fd / "8").symlink_to("/dev/null")
    assert examine(node)["cores free"].seen == "/dev/neuron0 by 4711"


def test_placeholders_from_pypi_are_an_error(node: Path) -> None:
    found = examine(node, {"neuronx-distributed-inference": "0.0.1"})["packages"]
    assert found.state == "error"
    assert "on PyPI are placeholders" in found.fix


def test_another_release_is_an_error_with_both_fixes(node: Path) -> None:
    found = examine(node, {"vllm-neuron": "0.5.0", "vllm": "0.16.0"})["packages"]
    assert "Install that, or set device.plugin to the installed release" in found.fix


def test_another_compiler_than_the_releases_is_a_warning(node: Path) -> None:
    found = examine(node, {"neuronx-cc": "2.24.5133.0"})["packages"]
    assert found.state == "warning"
    assert "neuronx-cc 2.23.6484.0" in found.fix


def test_a_host_too_small_for_the_compiler_is_an_error(node: Path) -> None:
    (node / "proc/meminfo").write_text(f"MemAvailable: {16 * 2**20} kB\n")
    assert examine(node)["memory"].state == "error"
    assert "larger instance" in examine(node)["memory"].fix


def test_the_command_fails_on_a_machine_without_the_device() -> None:
    config = ROOT / "deploy" / "serve" / "inf2-8xlarge-llama3-8b.yaml"
    result = CliRunner().invoke(app, ["doctor", str(config)])
    assert result.exit_code == 1
    assert "driver" in result.stdout


@pytest.mark.parametrize("command", ["doctor", "precompile"])
def test_a_config_for_another_device_is_refused(command: str) -> None:
    config = ROOT / "deploy" / "serve" / "simulated.yaml"
    result = CliRunner().invoke(app, [command, str(config)])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "kind is not neuron" in result.stderr


def test_compiling_asks_for_no_keys(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    sizes = {
        "architectures": ["LlamaForCausalLM"], "hidden_size": 64, "intermediate_size": 128,
        "num_hidden_layers": 2, "num_attention_heads": 8, "vocab_size": 512,
        "max_position_embeddings": 4096,
    }  # fmt: skip
    (model / "config.json").write_text(json.dumps(sizes))
    text = (ROOT / "deploy/k8s/overlays/inf2-8xlarge/config/serve.yaml").read_text()
    config = tmp_path / "serve.yaml"
    config.write_text(text.replace("/models/Meta-Llama-3-8B-Instruct", str(model)))
    result = CliRunner().invoke(app, ["precompile", str(config)])
    assert result.exit_code == 1  # there is no device here
    assert "keys" not in result.output

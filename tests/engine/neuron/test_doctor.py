"""`neuron-gateway doctor` on nodes made of files: what is seen, and the fix for what is wrong."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from engine.models.shape import KNOWN
from engine.neuron.catalogue import PLUGIN_RELEASES
from engine.neuron.device import Neuron
from engine.neuron.node.doctor import Finding, examine
from engine.neuron.node.machine import Node
from gateway.commands.main import app

ROOT = Path(__file__).parents[3]
LINE = PLUGIN_RELEASES["0.4.1"]
GOOD = {"vllm": "0.13.0", "vllm-neuron": "0.4.1", **LINE.packages}
LLAMA = KNOWN["meta-llama/Meta-Llama-3-8B-Instruct"]


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
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
    install(monkeypatch)
    return tmp_path


def install(monkeypatch: pytest.MonkeyPatch, **changed: str | None) -> None:
    there = GOOD | {name.replace("_", "-"): version for name, version in changed.items()}
    monkeypatch.setattr("engine.neuron.packages.installed", there.get)


def look(node: Path, **device: Any) -> dict[str, Finding]:
    config = {
        "kind": "neuron", "instance": "inf2.8xlarge", "tensor_parallel_size": 2,
        "artifacts": str(node / "artifacts"),
    }  # fmt: skip
    return {f.what: f for f in examine(Neuron(**(config | device)), LLAMA, Node(node))}


def test_a_good_node_needs_nothing(node: Path) -> None:
    found = look(node)
    assert {f.what: f.state for f in found.values() if f.what != "disk"} == dict.fromkeys(
        ("driver", "tools", "devices", "cores free", "packages", "memory"), "ok"
    )


@pytest.mark.parametrize("version", [None, "2.25.4.0"])
def test_a_driver_that_is_missing_or_old_is_bad(node: Path, version: str | None) -> None:
    file = node / "sys/module/neuron/version"
    file.unlink() if version is None else file.write_text(version)
    assert look(node)["driver"].state == "bad"
    assert "aws-neuronx-dkms 2.26" in look(node)["driver"].fix


def test_without_devices_the_pod_lacks_a_limit(node: Path) -> None:
    (node / "dev/neuron0").unlink()
    assert look(node)["devices"].state == "bad"
    assert "aws.amazon.com/neuron" in look(node)["devices"].fix


def test_more_cores_than_devices_have_are_bad(node: Path) -> None:
    assert look(node, cores=(2, 3))["devices"].state == "bad"


def test_a_process_that_holds_a_device_is_named(node: Path) -> None:
    fd = node / "proc/4711/fd"
    fd.mkdir(parents=True)
    (fd / "7").symlink_to("/dev/neuron0")
    (fd / "8").symlink_to("/dev/null")
    assert look(node)["cores free"].seen == "/dev/neuron0 by 4711"


def test_placeholders_from_pypi_are_bad(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, neuronx_distributed_inference="0.0.1")
    assert look(node)["packages"].state == "bad"
    assert "PyPI has placeholders" in look(node)["packages"].fix


def test_the_other_line_is_bad_with_both_ways_out(
    node: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, vllm_neuron="0.5.0", vllm="0.16.0")
    assert "Install that, or name the plugin that is there" in look(node)["packages"].fix


def test_another_compiler_of_the_line_is_pointed_at(
    node: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, neuronx_cc="2.24.5133.0")
    assert look(node)["packages"].state == "look"
    assert "neuronx-cc 2.23.6484.0" in look(node)["packages"].fix


def test_a_host_too_small_for_the_compiler_is_bad(node: Path) -> None:
    (node / "proc/meminfo").write_text(f"MemAvailable: {16 * 2**20} kB\n")
    assert look(node)["memory"].state == "bad"
    assert "larger instance" in look(node)["memory"].fix


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
    (model / "config.json").write_text('{"max_position_embeddings": 4096}')
    text = (ROOT / "deploy/k8s/overlays/inf2-8xlarge/config/serve.yaml").read_text()
    config = tmp_path / "serve.yaml"
    config.write_text(text.replace("/models/Meta-Llama-3-8B-Instruct", str(model)))
    result = CliRunner().invoke(app, ["precompile", str(config)])
    assert result.exit_code == 1  # there is no device here
    assert "keys" not in result.output

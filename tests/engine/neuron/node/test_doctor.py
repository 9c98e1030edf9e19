"""`neuron-gateway doctor` on nodes made of files: what is seen, and the fix for what is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from engine import EngineOptions, Finding, Host, Neuron
from gateway.commands.main import app

ROOT = Path(__file__).parents[4]
NAMES = (
    "vllm-neuron", "vllm", "neuronx-cc", "torch-neuronx", "neuronx-distributed",
    "neuronx-distributed-inference",
)  # fmt: skip
# By the line and the SDK: what AWS's images for vLLM have, from their Dockerfiles.
IMAGES = {
    ("0.4.1", "2.28.0"): (
        "0.4.1", "0.13.0", "2.23.6484.0+3b612583", "2.9.0.2.12.22436+0f1dac25",
        "0.17.26814+4b18de63", "0.8.16251+f3ca5575",
    ),
    ("0.5.0", "2.29.0"): (
        "0.5.0", "0.16.0", "2.24.5133.0+58f8de22", "2.9.0.2.13.24727+8e870898",
        "0.18.27753+1cafd54f", "0.9.17334+ced6ae4e",
    ),
    ("0.5.0", "2.29.1"): (
        "0.5.0", "0.16.0", "2.24.8799.0+6f62ff7c", "2.9.0.2.13.26312+8e870898",
        "0.18.27753+1cafd54f", "0.9.17334+ced6ae4e",
    ),
    ("0.5.3", "2.30.0"): (
        "0.5.1", "0.16.0", "2.25.3371.0+f524f7f8", "2.9.0.2.14.27725+e2ff0410",
        "0.19.28093+fc70b593", "0.10.17970+8548ba25",
    ),
    ("0.5.3", "2.31.1"): (
        "0.5.3", "0.16.0", "2.26.6360.0+6f180f47", "2.9.0.2.15.32035+de43f57c",
        "0.19.28492+435aae2b", "0.10.18399+ed62453e",
    ),
}  # fmt: skip
INSTALLED = dict(zip(NAMES, IMAGES["0.4.1", "2.28.0"], strict=True))
LLAMA = EngineOptions(model="meta-llama/Meta-Llama-3-8B-Instruct")
CONFIG = {"kind": "neuron", "instance": "inf2.8xlarge", "tensor_parallel_size": 2}


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


def compile_artifacts(node: Path) -> None:
    """Put the artifacts of the config on the node, as a compile leaves them."""
    device = Neuron.model_validate(CONFIG | {"artifacts": str(node / "artifacts")})
    with device.compiled(device.launch(LLAMA)).building() as folder:
        folder.mkdir(parents=True)
        for name in ("model.pt", "neuron_config.json"):
            (folder / name).write_text("")


def examine(
    node: Path, installed: dict[str, str] | None = None, **device: Any
) -> dict[str, Finding]:
    """Return the findings on a node with these packages instead of the right ones, by name."""
    config = CONFIG | {"artifacts": str(node / "artifacts")} | device
    host = Host(root=node, installed_version=(INSTALLED | (installed or {})).get)
    return {f.name: f for f in Neuron.model_validate(config).examine(LLAMA, host)}


def test_a_good_node_needs_nothing(node: Path) -> None:
    found = examine(node)
    assert {f.name: f.state for f in found.values() if f.name != "disk"} == dict.fromkeys(
        ("driver", "tools", "devices", "cores free", "packages", "memory"), "ok"
    )


@pytest.mark.parametrize("image", IMAGES, ids="-".join)
def test_the_packages_of_an_image_are_those_of_its_line(node: Path, image: tuple[str, str]) -> None:
    installed = dict(zip(NAMES, IMAGES[image], strict=True))
    assert examine(node, installed, plugin=image[0])["packages"].state == "ok"


def test_a_rebuild_of_a_version_is_that_version(node: Path) -> None:
    assert examine(node, {"vllm": "0.13.0+vendor.13"})["packages"].state == "ok"


@pytest.mark.parametrize("version", [None, "2.25.4.0"])
def test_a_driver_that_is_missing_or_old_is_an_error(node: Path, version: str | None) -> None:
    file = node / "sys/module/neuron/version"
    file.unlink() if version is None else file.write_text(version)
    assert examine(node)["driver"].state == "error"
    assert "aws-neuronx-dkms 2.26" in examine(node)["driver"].fix


@pytest.mark.parametrize(
    ("plugin", "state"), [("0.4.1", "warning"), ("0.5.0", "warning"), ("0.5.3", "ok")]
)
def test_a_driver_that_is_too_new_for_the_runtime_is_a_warning(
    node: Path, plugin: str, state: str
) -> None:
    (node / "sys/module/neuron/version").write_text("2.29.0.0\n")
    found = examine(node, plugin=plugin)["driver"]
    assert found.state == state
    assert ("from 2.29 on needs the runtime of SDK 2.31" in found.fix) == (state == "warning")


def test_without_devices_the_pod_lacks_a_limit(node: Path) -> None:
    (node / "dev/neuron0").unlink()
    assert examine(node)["devices"].state == "error"
    assert "aws.amazon.com/neuron" in examine(node)["devices"].fix


def test_more_cores_than_devices_have_are_an_error(node: Path) -> None:
    assert examine(node, cores=(2, 3))["devices"].state == "error"


def test_what_the_driver_counts_stands_beside_the_plan(node: Path) -> None:
    assert "device memory" not in examine(node)  # a driver that does not count
    for core, total in ((0, 10_200_000_000), (1, 9_900_000_000)):
        counters = node / f"sys/devices/virtual/neuron_device/neuron0/neuron_core{core}/stats"
        (counters / "memory_usage/device_mem/tensors").mkdir(parents=True)
        for name, count in (("total", total), ("peak", 11_000_000_000)):
            (counters / "memory_usage/device_mem" / name).write_text(f"{count}\n")
    seen = examine(node)["device memory"].seen
    assert "neuron0/neuron_core1 peak 11.00 GB, total 9.90 GB; planned" in seen
    # 16.06 GB of weights and 16 slots of 8,192 tokens of 128 KiB, over two cores.
    assert seen.endswith("planned 16.62 GB a core, without graphs")


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


@pytest.mark.parametrize(
    ("plugin", "line"),
    [("0.4.1", "0.5.0"), ("0.5.0", "0.4.1"), ("0.5.1", "0.4.1"), ("0.5.3", "0.5.0")],
)
def test_the_plugin_of_another_line_is_an_error_that_names_its_line(
    node: Path, plugin: str, line: str
) -> None:
    found = examine(node, {"vllm-neuron": plugin}, plugin=line)["packages"]
    own = {"0.5.1": "0.5.3"}.get(plugin, plugin)
    assert found.state == "error"
    assert f"vllm-neuron is {plugin} and device.plugin: {line} needs" in found.fix
    assert found.fix.endswith(f", or set device.plugin: {own}.")


@pytest.mark.parametrize("plugin", ["0.3.0", "0.4.0", "0.6.0", "0.21.0.1.0.0"])
def test_a_plugin_of_no_line_is_an_error_that_names_the_lines(node: Path, plugin: str) -> None:
    found = examine(node, {"vllm-neuron": plugin})["packages"]
    assert found.state == "error"
    assert "the known lines are 0.4.1, 0.5.0, 0.5.3" in found.fix


@pytest.mark.parametrize(
    ("name", "version"),
    [("vllm", "0.14.0"), ("vllm", "0.16.0"), ("neuronx-distributed-inference", "0.9.17334")],
)
def test_a_package_of_another_line_is_an_error_that_names_the_image(
    node: Path, name: str, version: str
) -> None:
    found = examine(node, {name: version})["packages"]
    assert found.state == "error"
    assert f"{name} is {version} and device.plugin: 0.4.1 needs" in found.fix
    assert "Use AWS's image of Neuron SDK 2.28.0" in found.fix


@pytest.mark.parametrize("name", ["vllm-neuron", "vllm", "neuronx-distributed-inference"])
def test_a_package_that_is_missing_is_an_error(node: Path, name: str) -> None:
    found = examine(node, {name: None})["packages"]  # type: ignore[dict-item]
    assert found.state == "error"
    assert f"{name} is not installed and device.plugin: 0.4.1 needs" in found.fix


def test_another_compiler_than_the_lines_is_a_warning(node: Path) -> None:
    found = examine(node, {"neuronx-cc": "2.24.5133.0"})["packages"]
    assert found.state == "warning"
    assert found.fix == "Those of this line, SDK 2.28.0, are neuronx-cc==2.23.*."


@pytest.mark.parametrize(("gib", "state"), [(31, "error"), (37, "error"), (39, "ok")])
def test_a_compile_takes_twice_the_weights_and_8_gib(node: Path, gib: int, state: str) -> None:
    (node / "proc/meminfo").write_text(f"MemAvailable: {gib * 2**20} kB\n")
    found = examine(node)["memory"]
    assert found.state == state
    assert ("about 38 GiB" in found.fix) == (state == "error")


CGROUPS = {
    "a pod, version 2": {"sys/fs/cgroup/memory.max": "GIB"},
    "a pod, version 1": {"sys/fs/cgroup/memory/memory.limit_in_bytes": "GIB"},
    "a pod whose path is that of the node": {
        "proc/self/cgroup": "0::/kubepods/pod1/a\n", "sys/fs/cgroup/memory.max": "GIB",
    },
    "a service of the node": {
        "proc/self/cgroup": "0::/system.slice/a.service\n",
        "sys/fs/cgroup/system.slice/a.service/memory.max": "max",
        "sys/fs/cgroup/system.slice/memory.max": "GIB",
    },
    "a service of the node, version 1": {
        "proc/self/cgroup": "9:cpu,cpuacct:/b\n4:memory:/a\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
        "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "GIB",
    },
}  # fmt: skip


@pytest.mark.parametrize("files", CGROUPS.values(), ids=CGROUPS)
def test_the_limit_of_the_pod_counts_where_it_is_below_the_nodes(
    node: Path, files: dict[str, str]
) -> None:
    for gib, state in ((24, "error"), (64, "ok"), (999, "ok")):
        for name, text in files.items():
            path = node / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text.replace('GIB', str(gib * 2**30))}\n")
        found = examine(node)["memory"]
        assert found.state == state
        assert found.seen.startswith(f"{min(gib, 100)} GiB free")
        assert ("the limit of this container" in found.seen) == (gib < 100)


def test_finished_artifacts_need_little_memory(node: Path) -> None:
    (node / "proc/meminfo").write_text(f"MemAvailable: {12 * 2**20} kB\n")
    assert "a start from them takes about 4 GiB" in examine(node)["memory"].fix
    compile_artifacts(node)
    assert examine(node)["memory"].state == "ok"


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
    result = CliRunner().invoke(app, ["precompile", "--offline", str(config)])
    assert result.exit_code == 1  # there is no plugin here
    assert "keys" not in result.output

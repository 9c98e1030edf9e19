"""The script of the first day on hardware, whole, over the stand-in: the report that it makes.

The node is this machine, so that `doctor` finds no driver, no tools and no counters of device
memory; times are the stand-in's.
"""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.engine.neuron.conftest import PLUGIN, lab_in
from tests.engine.neuron.lab.model import make_model
from tests.engine.neuron.lab.published import LLAMA_3_8B
from tests.engine.neuron.node.test_first_day import ROOT, SCRIPT
from tests.serving import free_port, ray_folder

SECONDS = 900
CONFIG = "deploy/serve/inf2-8xlarge-llama3-8b.yaml"
# Its own `pgrep` would find the engines of other tests.
PGREP = """\
#!{python}
import json
loads = [line for line in open({journal!r}) if '"load"' in line]
print(json.loads(loads[-1])["pid"])
"""

pytestmark = [
    pytest.mark.neuron_lab,
    pytest.mark.timeout(SECONDS + 60),
    pytest.mark.filterwarnings("default"),
]


def prepare(folder: Path, model: Path) -> None:
    """Make a checkout of this repository whose config serves a model of this machine."""
    for name in ("Makefile", "benchmarks", "engine", "gateway", "pyproject.toml", "tests"):
        (folder / name).symlink_to(ROOT / name)
    text = (ROOT / CONFIG).read_text()
    made = {
        "model: meta-llama/Meta-Llama-3-8B-Instruct": f"model: {model}",
        "artifacts: ~/.cache/neuron-gateway/artifacts": f"artifacts: {folder / 'artifacts'}",
        "kind: neuron": f'kind: neuron\n          plugin: "{PLUGIN}"\n'
        "          hang_timeout_seconds: 5",
        "proxy: haproxy": "proxy: python",
    }
    for theirs, ours in made.items():
        assert theirs in text
        text = text.replace(theirs, ours)
    (folder / "deploy/serve").mkdir(parents=True)
    (folder / CONFIG).write_text(text)
    (folder / "bin").mkdir()
    pgrep = folder / "bin/pgrep"
    pgrep.write_text(PGREP.format(python=sys.executable, journal=str(folder / "journal")))
    pgrep.chmod(0o755)


def run_script(folder: Path, ray: str) -> None:
    """Run the script of the README on a free port, where `doctor` may find errors."""
    script, port = SCRIPT, str(free_port())
    changes = {
        "8000": port,
        "serve $config": f"serve $config --port {port}",
        " || exit 1": "",
        "--streams 1,4,8": "--streams 1,4,8 --prompt 256",  # words, of which each is six tokens
    }
    for theirs, ours in changes.items():
        assert theirs in script
        script = script.replace(theirs, ours)
    programs = f"{folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {"PATH": programs, "HOME": str(folder), "RAY_TMPDIR": ray,
                   "RAY_ADDRESS": "local", "RAY_AUTH_MODE": "disabled"}  # fmt: skip
    with (folder / "script.log").open("w") as log:
        process = subprocess.Popen(
            ["bash", "-c", script], cwd=folder, env=os.environ | environment,
            stdout=log, stderr=log, process_group=0,
        )  # fmt: skip
        try:
            process.wait(SECONDS)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait(60)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("first")
    model = folder / "model"
    model.mkdir()
    (model / "model.safetensors").write_bytes(b"no weights")
    with lab_in(folder, make_model(model, LLAMA_3_8B)), ray_folder() as ray:
        prepare(folder, model)
        run_script(folder, ray)
    file = folder / "first-day.json"
    assert file.is_file(), (folder / "script.log").read_text()
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def attached(report: dict[str, Any], name: str) -> str:
    return "\n".join(report["attached"][f"{name}.txt"])


KERNEL = pytest.mark.parametrize("kernel", ["false", "true"])


def test_it_has_the_versions_and_what_check_shows(report: dict[str, Any]) -> None:
    (packages,) = (one for one in report["findings"] if one["name"] == "packages")
    assert f"vllm-neuron {PLUGIN}" in packages["seen"]
    check = "\n".join(report["check"])
    assert "2 NeuronCores of inf2.8xlarge" in check
    assert '"attn_kernel_enabled": false' in check


def test_no_text_names_this_machine(report: dict[str, Any]) -> None:
    assert "/tmp/" not in json.dumps(report)


@KERNEL
def test_each_kernel_was_compiled_once_and_served(report: dict[str, Any], kernel: str) -> None:
    assert "compiling" in attached(report, f"compile-{kernel}")
    assert "real" in attached(report, f"compile-{kernel}")
    assert "real" in attached(report, f"start-{kernel}")


@KERNEL
def test_latencies_are_those_of_the_stand_in(report: dict[str, Any], kernel: str) -> None:
    """A prefill takes 50 ms there and a step 10; frames may come together on a busy machine."""
    cells = r"│ +(\d+) +│ +[\d.]+ +│ +([\d.]+) +│ +[\d.]+ +│ +([\d.]+) +│"
    rows = re.findall(cells, attached(report, f"latency-{kernel}"))
    assert [streams for streams, _, _ in rows] == ["1", "4", "8"]
    assert [row for row in rows if float(row[1]) < 50 or float(row[2]) < 5] == []


@KERNEL
def test_requests_keep_their_own_sampling(report: dict[str, Any], kernel: str) -> None:
    assert "4 passed" in attached(report, f"tests-{kernel}")


@KERNEL
def test_of_the_memory_only_the_plan_is_known(report: dict[str, Any], kernel: str) -> None:
    assert "packages" in attached(report, f"memory-{kernel}")
    assert "device memory" not in attached(report, f"memory-{kernel}")
    assert re.search(r"2 cores\W+16\.06\W+4\.29", "\n".join(report["check"]))


def test_a_stopped_engine_was_noticed_and_replaced(report: dict[str, Any]) -> None:
    hang = attached(report, "hang")
    assert len(re.findall(r"^real", hang, re.MULTILINE)) == 2
    error, done = re.findall(r"^data: (.*)", hang, re.MULTILINE)
    assert json.loads(error)["error"]["type"] == "server_error"
    assert done == "[DONE]"

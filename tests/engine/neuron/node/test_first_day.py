"""The first day on hardware, as far as it can be tried without: the report, script and tests."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmarks.__main__ import app as benchmarks
from engine import GenerateRequest, TokenDelta
from engine.simulated.engine import SimulatedEngine
from gateway.commands.main import app
from tests.conftest import running, simulated

ROOT = Path(__file__).parents[4]
README = (ROOT / "engine/neuron/README.md").read_text("utf-8")
(SCRIPT,) = re.findall(r"```sh\n(set -u\n.*?)```", README, re.DOTALL)
SIZES = {
    "architectures": ["LlamaForCausalLM"], "hidden_size": 64, "intermediate_size": 128,
    "num_hidden_layers": 2, "num_attention_heads": 8, "vocab_size": 512,
    "max_position_embeddings": 4096,
}  # fmt: skip
FILE = """\
applications:
- import_path: gateway.serving.ray_app:build_app
  args:
    models:
    - id: llama
      engine:
        model: MODEL
        max_num_seqs: 8
        max_model_len: 4096
        device:
          kind: neuron
          instance: inf2.8xlarge
          tensor_parallel_size: 2
          artifacts: ARTIFACTS
    keys_file: KEYS
"""
LOG = """\
real 3m24s
loading /home/ann/models/llama/model.safetensors from ip-10-0-1-2.ec2.internal (10.0.1.2)
HF_TOKEN=hf_abcdefghijklmnopqrstuvwx, key ngw-abcdefghijklmnopqrstuvwx
PATH=/home/ann/bin:/usr/local/bin http://127.0.0.1:8000/v1/models /dev/neuron0 12.5 tokens/s
driver 2.26.5.0, neuronx-cc 2.23.6484.0+3b612583
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    model = tmp_path / "ann" / "llama"
    model.mkdir(parents=True)
    (model / "config.json").write_text(json.dumps(SIZES))
    text = FILE.replace("MODEL", str(model)).replace("ARTIFACTS", str(tmp_path / "ann/made"))
    file = tmp_path / "inf2.yaml"
    file.write_text(text.replace("KEYS", str(tmp_path / "ann/keys.yaml")))
    return file


def doctor(config: Path, *options: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["doctor", str(config), *map(str, options)])
    return result.exit_code, result.output


def report(config: Path, folder: Path) -> dict[str, Any]:
    log = folder / "compile.txt"
    log.write_text(LOG)
    code, shown = doctor(config, "--report", folder / "report.json", "--attach", log)
    assert code == 1, shown  # there is no device here
    found: dict[str, Any] = json.loads((folder / "report.json").read_text("utf-8"))
    return found


def test_a_report_has_versions_findings_the_plan_and_the_attached_texts(
    config: Path, tmp_path: Path
) -> None:
    found = report(config, tmp_path)
    assert {one["name"] for one in found["findings"]} >= {"driver", "packages", "memory", "devices"}
    assert "cores: 0, 1 of 2 on inf2.8xlarge" in "\n".join(found["check"])
    assert found["next"][0] == found["findings"][0]["fix"]  # before any test
    assert found["attached"]["compile.txt"][0] == "real 3m24s"
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))


def test_a_report_has_no_paths_hosts_addresses_and_secrets(config: Path, tmp_path: Path) -> None:
    report(config, tmp_path)
    text = (tmp_path / "report.json").read_text("utf-8")
    for private in ("ann/", str(tmp_path), "ip-10", "10.0.1.2", "hf_a", "ngw-a", "/usr/local"):
        assert private not in text
    assert socket.gethostname() not in re.findall(r"[\w-]+", text)


def test_a_report_keeps_what_tells_nothing_of_a_user(config: Path, tmp_path: Path) -> None:
    log = "\n".join(report(config, tmp_path)["attached"]["compile.txt"])
    kept = ("http://127.0.0.1:8000/v1/models", "/dev/neuron0", "12.5 tokens/s", "driver 2.26.5.0",
            "2.23.6484.0+3b612583")  # fmt: skip
    assert [one for one in kept if one not in log] == []


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--attach", "a.txt"], "--attach: is for --report. Give --report FILE too."),
        (["--report", "r.json", "--attach", "/nowhere/a.txt"], "--attach: /nowhere/a.txt cannot"),
        (["--report", "/nowhere/r.json"], "--report: /nowhere/r.json cannot be written"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(config: Path, options: list[str], says: str) -> None:
    code, shown = doctor(config, *options)
    assert code == 2
    assert says in shown


def test_the_script_is_valid_and_its_commands_have_these_options() -> None:
    subprocess.run(["bash", "-n"], input=SCRIPT, text=True, check=True)
    programs = {"neuron-gateway": app, "python -m benchmarks": benchmarks}
    joined = SCRIPT.replace("\\\n", " ")
    used = re.findall(r"(neuron-gateway|python -m benchmarks) ([a-z]+)([^\n>]*)", joined)
    assert {command for _, command, _ in used} == {"doctor", "precompile", "serve", "latency"}
    for program, command, rest in used:
        options = re.findall(r"--[a-z]+", rest)
        shown = CliRunner().invoke(programs[program], [command, "--help"]).output
        assert [one for one in options if one not in shown] == []


def test_the_script_turns_the_kernel_on_and_off(tmp_path: Path) -> None:
    loop = SCRIPT[SCRIPT.index("for kernel in true false") : SCRIPT.index("neuron-gateway doctor")]
    (tmp_path / "first-day").mkdir()
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    subprocess.run(["bash", "-ec", loop], cwd=tmp_path, check=True)
    for kernel in ("true", "false"):
        file = tmp_path / f"first-day/kernel-{kernel}.yaml"
        result = CliRunner().invoke(app, ["check", "--offline", str(file)])
        assert result.exit_code == 0, result.output
        assert f'"attn_kernel_enabled": {kernel}' in result.output


class SharedRows(SimulatedEngine):
    """The plugin without its guard: a request that runs beside others is sampled as they are."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._temperatures: list[float] = []

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[TokenDelta, None]:
        own = request.sampling.temperature
        self._temperatures.append(own)
        sampling = replace(request.sampling, temperature=max(self._temperatures))
        async for delta in super().generate(replace(request, sampling=sampling)):
            yield delta
        self._temperatures.remove(own)


@pytest.mark.parametrize("engine", [SimulatedEngine, SharedRows])
def test_the_tests_for_hardware_tell_an_engine_that_mixes_up_sampling(
    engine: type[SimulatedEngine],
) -> None:
    config = simulated({"time_scale": 0.1}, engine={"max_model_len": 2048})
    with running(
        config, make_engine=lambda name, options: engine(name, options, options.device)
    ) as url:
        done = subprocess.run(
            ["make", "-s", "test-neuron", f"URL={url}", f"PYTHON={sys.executable}"],
            cwd=ROOT, env=os.environ, capture_output=True, text=True,
        )  # fmt: skip
    mixed_up = "FAILED tests/engine/neuron/test_hardware.py::test_greedy" in done.stdout
    assert mixed_up == (engine is SharedRows), done.stdout
    assert ("4 passed" in done.stdout) == (engine is SimulatedEngine), done.stdout


def test_the_latency_benchmark_has_a_row_for_each_number_of_streams() -> None:
    with running(simulated(engine={"max_model_len": 2048})) as url:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks", "latency", f"{url}/v1", "--streams", "1,4,8"],
            cwd=ROOT, capture_output=True, text=True,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.findall(r"│ (\d+) +│ +[\d.]+ +│", done.stdout) == ["1", "4", "8"]

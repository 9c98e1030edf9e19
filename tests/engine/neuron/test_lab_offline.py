"""`precompile --offline`: the plugin's loader compiles on a host without a Neuron device."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import wait_until
from tests.engine.neuron.conftest import Lab, lab_in
from tests.engine.neuron.test_lab_deaths import is_gone

pytestmark = [
    pytest.mark.neuron_lab,
    pytest.mark.timeout(400),
    pytest.mark.filterwarnings("default"),
]


@pytest.fixture
def bare(tmp_path: Path, tiny: Path) -> Iterator[Lab]:
    """Yield a lab on a host without devices."""
    with lab_in(tmp_path, tiny, NEURON_LAB_DEVICES="0") as lab:
        yield lab


def precompile(
    lab: Lab, *options: str, env: dict[str, str] | None = None, **config: Any
) -> subprocess.CompletedProcess[str]:
    with started(lab, *options, env=env, **config) as process:
        stdout, stderr = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def started(
    lab: Lab, *options: str, env: dict[str, str] | None = None, **config: Any
) -> subprocess.Popen[str]:
    config = {"compile": "never"} | config
    engine = lab.config(**config).model_dump(mode="json", exclude_none=True)
    args = {"models": [{"id": "tiny", "engine": engine}]}
    application = {"import_path": "gateway.serving.ray_app:build_app", "args": args}
    file = lab.folder / "gateway.yaml"
    file.write_text(yaml.safe_dump({"applications": [application]}))
    temporary = lab.folder / "tmp"
    temporary.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-m", "gateway", "precompile", *options, str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(temporary)} | (env or {}),
    )


def kinds(lab: Lab) -> list[str]:
    return [event["event"] for event in lab.events]


def leftovers(lab: Lab) -> list[str]:
    """Return what is in the folder of artifacts, but for locks."""
    found = (lab.folder / "artifacts").iterdir()
    return [file.name for file in found if file.suffix != ".lock"]


async def test_a_start_that_may_not_compile_loads_what_was_compiled_without_a_device(
    bare: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = precompile(bare, "--offline")
    assert done.returncode == 0, done.stderr
    assert [line.split(" s  ")[1] for line in done.stdout.splitlines()[:-1]] == [
        "hashing 0.0 GiB of weights", "loading", "compiling",
    ]  # fmt: skip
    folder = Path(done.stdout.splitlines()[-1].removeprefix("artifacts: "))
    assert leftovers(bare) == [folder.name]
    (event,) = bare.events
    assert (event["event"], event["target"]) == ("compile", "trn1")
    assert event["visible_cores"] is None
    assert not (bare.folder / "tmp/neuron-gateway-cores").exists()  # no core is claimed
    again = precompile(bare, "--offline")
    assert again.stdout.splitlines()[-1] == done.stdout.splitlines()[-1]
    assert kinds(bare) == ["compile"]

    monkeypatch.setenv("NEURON_LAB_DEVICES", "1")
    async with bare.engine(compile="never") as engine:
        assert engine.artifacts.folder == folder
    assert kinds(bare) == ["compile", "load"]


def test_a_node_and_a_host_without_devices_make_the_same_artifacts(
    bare: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def manifest() -> str:
        (file,) = (bare.folder / "artifacts").glob("*/neuron-gateway.json")
        text = f"{file.parent.name} {file.read_text()}"
        file.unlink()
        return text

    precompile(bare, "--offline")
    offline = manifest()
    monkeypatch.setenv("NEURON_LAB_DEVICES", "1")
    precompile(bare)
    assert manifest() == offline


def test_int8_weights_are_made_as_on_a_node(bare: Lab) -> None:
    tuning = {"quantized": True, "quantization_dtype": "int8"}
    done = precompile(bare, "--offline", override_neuron_config=tuning)
    assert done.returncode == 0, done.stderr
    assert kinds(bare) == ["quantize", "compile"]


@pytest.mark.parametrize(
    ("fault", "text", "reason"),
    [
        ("raise@compile", "[NCC_ITEN404] internal error", "[compiler_defect: reconfigure]"),
        ("raise@compile", "an unknown failure", "RuntimeError: an unknown failure"),
        ("kill@compile", "", "[compiler_memory: reduce]"),
    ],
)
def test_a_compile_that_fails_names_the_cause_and_leaves_nothing(
    bare: Lab, fault: str, text: str, reason: str
) -> None:
    faults = {"NEURON_LAB_FAULT": fault, "NEURON_LAB_FAULT_TEXT": text}
    done = precompile(bare, "--offline", env=faults)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("The compile failed. ")
    assert reason in last
    assert leftovers(bare) == []


def test_an_interrupted_compile_leaves_no_process_and_no_files(bare: Lab) -> None:
    with started(bare, "--offline", env={"NEURON_LAB_COMPILE_S": "200"}) as process:
        wait_until(lambda: bool(bare.events), 120)
        process.send_signal(signal.SIGINT)
        process.communicate()
    assert process.returncode == 130
    wait_until(lambda: is_gone(bare.events[0]["pid"]))
    assert leftovers(bare) == []


def test_without_devices_the_option_is_named_at_once(bare: Lab) -> None:
    done = precompile(bare)
    assert (done.returncode, done.stdout) == (2, "")
    assert "There is no /dev/neuron*." in done.stderr
    assert "add --offline" in done.stderr

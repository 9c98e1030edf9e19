"""The start of an inf2 engine: its phases, its artifacts, and what is refused before it."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine import EngineDead, create_engine
from engine.models.digests import file_digests
from engine.neuron.artifacts import MANIFEST
from tests.engine.neuron.conftest import Lab, lab_in

pytestmark = [
    pytest.mark.neuron_lab,
    pytest.mark.timeout(240),
    pytest.mark.filterwarnings("default"),
]

ASK = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 4}


def kinds(lab: Lab) -> list[str]:
    return [event["event"] for event in lab.events]


async def started(lab: Lab, **config: Any) -> list[str]:
    """Start an engine and close it; return the kinds of the device's events."""
    lab.forget()
    async with lab.engine(**config):
        return kinds(lab)


async def refusal(lab: Lab, **config: Any) -> str:
    with pytest.raises(EngineDead) as death:
        await started(lab, **config)
    return str(death.value)


async def test_artifacts_are_compiled_once_and_loaded_for_the_same_facts_alone(lab: Lab) -> None:
    assert await started(lab) == ["compile", "load"]
    assert await started(lab, compile="never") == ["load"]
    (folder,) = (lab.folder / "artifacts").glob("[!.]*")
    other = await refusal(lab, compile="never", slots=5)
    wanted = create_engine("tiny", lab.config(slots=5))
    assert wanted.artifacts.key in other
    assert f"{folder.name} exists and differs in max_num_seqs." in other
    assert "neuron-gateway precompile" in other
    assert kinds(lab) == []


async def test_artifacts_that_cannot_be_loaded_are_not_compiled_again(lab: Lab) -> None:
    await started(lab)
    (folder,) = (lab.folder / "artifacts").glob("[!.]*")
    name = "neuron_config.json"
    (folder / name).write_text("{")
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"][name] = {"size": 1, "digest": file_digests(folder, [name])[name]}
    (folder / MANIFEST).write_text(json.dumps(manifest))
    assert "would_compile: rebuild" in await refusal(lab, compile="never")
    assert "compile" not in kinds(lab)


@pytest.mark.parametrize("compile_", ["never", "allowed"])
async def test_changed_artifacts_end_the_start_whether_it_may_compile_or_not(
    lab: Lab, compile_: str
) -> None:
    await started(lab)
    (folder,) = (lab.folder / "artifacts").glob("[!.]*")
    name = "weights/tp1_sharded_checkpoint.safetensors"
    (folder / name).write_text("other weights")
    changed = f"{name} of the compiled artifacts {folder} has changed since the compile."
    refused = await refusal(lab, compile=compile_)
    assert f"{changed} Run `neuron-gateway precompile CONFIG`" in refused
    (folder / name).unlink()
    assert f"{name} of the compiled artifacts {folder} is missing" in await refusal(lab)
    assert kinds(lab) == []


async def test_other_weights_do_not_get_the_artifacts_of_the_first(
    tmp_path: Path, tiny: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "engine.neuron.engine")
    model = tmp_path / "model"
    shutil.copytree(tiny, model)
    (model / "model.safetensors").write_bytes(b"a weight: 1")
    with lab_in(tmp_path, model) as lab:
        assert await started(lab) == ["compile", "load"]
        (folder,) = (lab.folder / "artifacts").glob("[!.]*")
        assert re.search(rf"tiny: weights [0-9a-f]{{16}}, artifacts {folder}", caplog.text)
        (model / "model.safetensors").write_bytes(b"a weight: 2")
        assert "exists and differs in weights." in await refusal(lab, compile="never")


def test_the_digest_of_the_weights_is_shown(lab: Lab) -> None:
    with lab.gateway() as url:
        (model,) = httpx.get(f"{url}/v1/models").json()["data"]
    (manifest,) = (lab.folder / "artifacts").glob(f"*/{MANIFEST}")
    assert model["weights"] == json.loads(manifest.read_text())["facts"]["weights"]


async def test_the_phases_of_a_start_follow_each_other(tmp_path: Path, tiny: Path) -> None:
    seen = ["created"]
    knobs = {"NEURON_LAB_COMPILE_S": "1", "NEURON_LAB_LOAD_S": "1"}
    with lab_in(tmp_path, tiny, **knobs) as lab:
        engine = create_engine("tiny", lab.config())
        start = asyncio.create_task(engine.start())
        while not start.done():
            if engine.phase != seen[-1]:
                seen.append(engine.phase)
            await asyncio.sleep(0.02)
        await start
        assert engine.phase == "ready"
        await engine.close()
    assert seen == ["created", "loading", "compiling", "warming up", "ready"][: len(seen)]
    assert "compiling" in seen


async def test_a_node_without_devices_is_refused_at_once(tmp_path: Path, tiny: Path) -> None:
    with lab_in(tmp_path, tiny, NEURON_LAB_DEVICES="0") as lab:
        assert "no /dev/neuron" in await refusal(lab)


def test_sampling_on_the_cpu_serves_what_the_device_ignores(tmp_path: Path, tiny: Path) -> None:
    more = {"logprobs": True, "top_logprobs": 2, "presence_penalty": 0.5, "min_p": 0.1}
    kernels = tmp_path / "inductor"
    with (
        lab_in(tmp_path, tiny, TORCHINDUCTOR_CACHE_DIR=str(kernels)) as lab,
        lab.gateway(sampling="cpu") as url,
    ):
        answer = httpx.post(f"{url}/v1/chat/completions", json=ASK | more, timeout=120)
        assert answer.status_code == 200
        assert len(answer.json()["choices"][0]["logprobs"]["content"]) == 4
        # vLLM's sampler would compile them while the request waits.
        assert [file for file in kernels.rglob("*") if file.is_file()] == []
        seeded = httpx.post(f"{url}/v1/chat/completions", json=ASK | {"seed": 1}, timeout=30)
        assert (seeded.status_code, seeded.headers["x-ignored-fields"]) == (200, "seed")


def test_with_a_sampling_class_other_values_are_refused(lab: Lab) -> None:
    with lab.gateway(sampling_class={"temperature": 0.5}) as url:
        mine = httpx.post(f"{url}/v1/chat/completions", json=ASK | {"temperature": 0.5})
        other = httpx.post(f"{url}/v1/chat/completions", json=ASK | {"temperature": 0.7})
    assert mine.status_code == 200
    assert (other.status_code, other.json()["error"]["param"]) == (400, "temperature")


async def test_the_device_gets_the_compiled_lengths_and_the_cores(lab: Lab) -> None:
    config = {"max_prompt_length": 128, "instance": "inf2.24xlarge", "cores": (4, 5)}
    async with lab.engine(context_encoding_buckets=(64, 128), **config):
        load = next(event for event in lab.events if event["event"] == "load")
    assert load["visible_cores"] == "4-5"
    assert load["unknown_keys"] == []
    assert load["context_buckets"] == [64, 128]
    assert load["generation_buckets"][-1] == load["config"]["seq_len"] == 256
    assert load["config"]["max_context_length"] == 128
    assert load["config"]["batch_size"] == 4
    assert load["config"]["attn_kernel_enabled"] is False
    assert (lab.folder / "artifacts").is_dir()
    assert os.environ["NEURON_RT_ROOT_COMM_ID"].endswith("62186")
    shutil.rmtree(lab.folder / "artifacts")


@pytest.fixture
def slow(tmp_path: Path, tiny: Path) -> Iterator[Lab]:
    with lab_in(tmp_path, tiny, NEURON_LAB_COMPILE_S="1") as lab:
        yield lab


def test_precompile_makes_what_a_start_then_loads(slow: Lab) -> None:
    file = slow.config_file(compile="never")
    command = [sys.executable, "-m", "gateway", "precompile", str(file)]
    first, again = (subprocess.run(command, capture_output=True, text=True) for _ in range(2))
    assert (first.returncode, again.returncode) == (0, 0), first.stderr
    assert "compiling" in first.stdout
    assert "hashing 0.0 GiB of weights" in first.stdout
    assert first.stdout.splitlines()[-1] == again.stdout.splitlines()[-1]
    assert kinds(slow) == ["compile", "load"]
    shutil.rmtree(Path(again.stdout.split()[-1]) / "weights")
    repaired = subprocess.run(command, capture_output=True, text=True)
    assert "is missing since the compile" in repaired.stdout
    assert kinds(slow) == ["compile", "load"] * 2
    with slow.gateway(compile="never") as url:
        assert httpx.post(f"{url}/v1/chat/completions", json=ASK, timeout=30).status_code == 200
    assert kinds(slow) == ["compile", "load", "compile", "load", "load"]

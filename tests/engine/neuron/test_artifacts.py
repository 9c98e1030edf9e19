"""Compiled artifacts: a name for each set of facts, whole folders, and what is missing."""

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from engine import Neuron
from engine.device import Launch
from engine.neuron.artifacts import MANIFEST, Artifacts


def compile_into(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in ("model.pt", "neuron_config.json"):
        (folder / name).write_text("x")


def made(root: Path, **facts: Any) -> Artifacts:
    artifacts = Artifacts(root, facts)
    with artifacts.building() as folder:
        compile_into(folder)
    return artifacts


def test_what_was_compiled_is_found_again_with_its_facts(tmp_path: Path) -> None:
    artifacts = made(tmp_path, slots=4)
    assert Artifacts(tmp_path, {"slots": 4}).exists
    assert json.loads((artifacts.folder / MANIFEST).read_text()) == {"slots": 4}
    with artifacts.building() as folder:
        assert folder == artifacts.folder


def test_weights_are_quantized_into_a_folder_that_is_there_for_the_compile(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path, {"slots": 4})
    with artifacts.building() as folder:
        assert artifacts.quantized_weights.is_dir()
        (artifacts.quantized_weights / "model.safetensors").write_text("x")
        compile_into(folder)
    assert artifacts.exists
    assert not artifacts.quantized_weights.exists()


def test_a_compile_that_fails_leaves_nothing_to_load(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path, {"slots": 4})

    def fail() -> None:
        with artifacts.building() as folder:
            compile_into(folder)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not artifacts.exists
    assert made(tmp_path, slots=4).exists


def test_two_who_need_the_same_compile_it_once(tmp_path: Path) -> None:
    compiled: list[Path] = []

    def start() -> None:
        with Artifacts(tmp_path, {"slots": 4}).building() as folder:
            if not folder.exists():
                compile_into(folder)
                time.sleep(0.1)
                compiled.append(folder)

    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(compiled) == 1


def test_missing_ones_name_the_hash_and_the_most_similar_that_exist(tmp_path: Path) -> None:
    near = made(tmp_path, slots=4, length=256)
    made(tmp_path, slots=8, length=512)
    wanted = Artifacts(tmp_path, {"slots": 5, "length": 256})
    assert wanted.missing() == (
        f"No compiled artifacts {wanted.key} in {tmp_path}. {near.key} exists and differs in slots."
    )


def test_without_any_the_folder_is_named(tmp_path: Path) -> None:
    wanted = Artifacts(tmp_path / "none", {"slots": 5})
    assert wanted.missing() == f"No compiled artifacts {wanted.key} in {tmp_path / 'none'}."


BASE: dict[str, Any] = {"kind": "neuron", "instance": "inf2.8xlarge", "tensor_parallel_size": 2}
CHANGES: dict[str, dict[str, Any]] = {
    "degree": {"tensor_parallel_size": 1},
    "sampling": {"sampling": "cpu"},
    "buckets": {"context_encoding_buckets": (512, 1024)},
    "prompt": {"max_prompt_length": 512},
    "caching": {"prefix_caching": True, "block_size": 32},
    "tuning": {"override_neuron_config": {"fused_qkv": True}},
}


def key(folder: Path, *, slots: int = 4, length: int = 1024, **device: Any) -> str:
    launch = Launch(model=folder, max_num_seqs=slots, max_model_len=length)
    return Neuron(**(BASE | device)).compiled(launch).key


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whatever_shapes_the_graphs_changes_the_name(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    assert key(tmp_path) != key(tmp_path, **change)


def test_slots_length_and_the_model_change_the_name(tmp_path: Path) -> None:
    names = {key(tmp_path), key(tmp_path, slots=5), key(tmp_path, length=512)}
    (tmp_path / "config.json").write_text("{}")
    assert len(names | {key(tmp_path)}) == 4


def test_what_shapes_no_graph_leaves_the_name(tmp_path: Path) -> None:
    assert key(tmp_path) == key(tmp_path, hang_timeout_seconds=5, compile="allowed", cores=(4, 5))
    assert key(tmp_path) == key(tmp_path, instance="inf2.48xlarge")

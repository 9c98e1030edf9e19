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

FILES = ("model.pt", "neuron_config.json", "weights/tp0.safetensors")


def compile_into(folder: Path) -> None:
    (folder / "weights").mkdir(parents=True)
    for name in FILES:
        (folder / name).write_text("x")


def made(root: Path, **facts: Any) -> Artifacts:
    artifacts = Artifacts(root, facts)
    with artifacts.building() as folder:
        compile_into(folder)
    return artifacts


def test_what_was_compiled_is_found_again_with_its_facts(tmp_path: Path) -> None:
    artifacts = made(tmp_path, slots=4)
    assert Artifacts(tmp_path, {"slots": 4}).exists
    manifest = json.loads((artifacts.folder / MANIFEST).read_text())
    assert manifest["facts"] == {"slots": 4}
    assert [(name, file["size"]) for name, file in manifest["files"].items()] == [
        (name, 1) for name in FILES
    ]
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


@pytest.mark.parametrize("name", FILES)
def test_a_finished_folder_without_one_of_its_files_does_not_exist(
    tmp_path: Path, name: str
) -> None:
    artifacts = made(tmp_path, slots=4)
    assert artifacts.damage() is None
    (artifacts.folder / name).unlink()
    assert not artifacts.exists
    damage = f"{name} of the compiled artifacts {artifacts.folder} is missing since the compile."
    assert (artifacts.damage(), artifacts.missing()) == (damage, damage)


def test_a_changed_file_of_the_same_size_is_noticed(tmp_path: Path) -> None:
    artifacts = made(tmp_path, slots=4)
    (artifacts.folder / FILES[-1]).write_text("y")
    assert artifacts.damage() == (
        f"{FILES[-1]} of the compiled artifacts {artifacts.folder} has changed since the compile."
    )


@pytest.mark.parametrize("text", ["", "[]", '{"slots": 4}'])
def test_another_manifest_is_damage(tmp_path: Path, text: str) -> None:
    artifacts = made(tmp_path, slots=4)
    (artifacts.folder / MANIFEST).write_text(text)
    assert not artifacts.exists
    assert "neuron-gateway.json of the compiled artifacts" in (artifacts.damage() or "")
    assert Artifacts(tmp_path, {"slots": 5}).missing()


def test_what_the_compiler_leaves_in_its_own_folder_is_removed(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path, {"slots": 4})
    with artifacts.building() as folder:
        compile_into(folder)
        compile_into(artifacts.work_folder)
    assert not artifacts.work_folder.exists()


def test_a_compile_that_fails_leaves_nothing_to_load(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path, {"slots": 4})

    def fail() -> None:
        with artifacts.building() as folder:
            compile_into(folder)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [file.suffix for file in tmp_path.iterdir()] == [".lock"]
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


def test_every_launch_compiles_in_a_folder_of_its_own(tmp_path: Path) -> None:
    def work_folder(slots: int) -> str:
        launch = Launch(model=tmp_path, max_num_seqs=slots, max_model_len=1024)
        return Neuron(**BASE).environment(launch)["BASE_COMPILE_WORK_DIR"]

    assert work_folder(4) == work_folder(4) != work_folder(5)


@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin", "config.json"])
def test_one_other_byte_of_the_model_changes_the_name(tmp_path: Path, file: str) -> None:
    (tmp_path / file).write_bytes(b"a weight: 1")
    first = key(tmp_path)
    (tmp_path / file).write_bytes(b"a weight: 2")
    assert key(tmp_path) != first
    (tmp_path / file).write_bytes(b"a weight: 1")
    assert key(tmp_path) == first


def test_slots_length_and_the_model_change_the_name(tmp_path: Path) -> None:
    names = {key(tmp_path), key(tmp_path, slots=5), key(tmp_path, length=512)}
    (tmp_path / "config.json").write_text("{}")
    assert len(names | {key(tmp_path)}) == 4


def test_what_shapes_no_graph_leaves_the_name(tmp_path: Path) -> None:
    assert key(tmp_path) == key(tmp_path, hang_timeout_seconds=5, compile="allowed", cores=(4, 5))
    assert key(tmp_path) == key(tmp_path, instance="inf2.48xlarge")

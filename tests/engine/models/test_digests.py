"""Digests of large files: their content alone, computed once for each state of a file."""

import json
import os
import threading
from pathlib import Path

import pytest

from engine.models.digests import KEPT, file_digests

LONG_AGO = 1_000_000_000
MIB = 2**20


def write(file: Path, content: bytes, *, at: int = LONG_AGO) -> None:
    file.write_bytes(content)
    os.utime(file, (at, at))


def digest(folder: Path, name: str = "a") -> str:
    return file_digests(folder, [name])[name]


@pytest.mark.parametrize("position", [0, 16 * MIB - 1, 16 * MIB, 33 * MIB - 1])
def test_a_byte_anywhere_in_a_large_file_changes_its_digest(tmp_path: Path, position: int) -> None:
    content = bytearray(33 * MIB)
    write(tmp_path / "a", bytes(content))
    content[position] = 1
    write(tmp_path / "b", bytes(content))
    assert digest(tmp_path, "a") != digest(tmp_path, "b")


def test_the_name_and_the_time_of_a_file_do_not_count(tmp_path: Path) -> None:
    write(tmp_path / "a", b"1")
    write(tmp_path / "b", b"1", at=LONG_AGO + 5)
    assert digest(tmp_path, "a") == digest(tmp_path, "b")


def test_a_file_of_the_same_size_and_time_is_not_read_again(tmp_path: Path) -> None:
    write(tmp_path / "a", b"1")
    first = digest(tmp_path)
    write(tmp_path / "a", b"2")
    assert digest(tmp_path) == first
    write(tmp_path / "a", b"2", at=LONG_AGO + 1)
    assert digest(tmp_path) != first


def test_a_file_that_was_just_written_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    times = (tmp_path / "a").stat()
    first = digest(tmp_path)
    (tmp_path / "a").write_bytes(b"2")
    os.utime(tmp_path / "a", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert digest(tmp_path) != first


@pytest.mark.parametrize("text", ["", "{", "[1]"])
def test_damaged_notes_are_replaced(tmp_path: Path, text: str) -> None:
    write(tmp_path / "a", b"1")
    first = digest(tmp_path)
    (tmp_path / KEPT).write_text(text)
    assert digest(tmp_path) == first
    assert json.loads((tmp_path / KEPT).read_text())["a"][0] == 1


def test_for_a_read_only_folder_they_are_kept_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    model = tmp_path / "model"
    (model / KEPT).mkdir(parents=True)  # cannot be opened, even by root
    write(model / "a", b"1")
    first = digest(model)
    assert list((tmp_path / "home/.cache/neuron-gateway/digests").iterdir())
    write(model / "a", b"2")
    assert digest(model) == first


def test_where_nothing_can_be_written_they_are_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home").write_text("no folder")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / KEPT).mkdir()
    write(tmp_path / "a", b"1")
    first = digest(tmp_path)
    write(tmp_path / "a", b"2")
    assert digest(tmp_path) != first


def test_several_at_once_get_the_same(tmp_path: Path) -> None:
    write(tmp_path / "a", b"1")
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(digest(tmp_path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1

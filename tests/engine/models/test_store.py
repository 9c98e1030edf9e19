"""Where a config's `model` is: converted once, taken as it is, fetched, or refused."""

import os
from pathlib import Path

import huggingface_hub
import pytest

from engine import DEFAULT_MODEL, ModelNotAvailable
from engine.models.smollm2 import Progress
from engine.models.store import MARKER, resolve_model


class Converter:
    """A conversion that writes one file, and fails with an error that it was given."""

    def __init__(self, error: Exception | None = None) -> None:
        self.runs = 0
        self.error = error

    def __call__(self, target: Path, progress: Progress) -> None:
        self.runs += 1
        progress("converting")
        (target / "config.json").write_text("{}")
        if self.error is not None:
            raise self.error


def resolve(name: str, cache: Path, convert: Converter | None = None) -> Path:
    return resolve_model(name, cache=cache, progress=lambda _: None, convert=convert or Converter())


def test_the_default_model_is_converted_once(tmp_path: Path) -> None:
    convert, phases, cache = Converter(), list[str](), tmp_path / "new"
    folders = [
        resolve_model(DEFAULT_MODEL, cache=cache, progress=phases.append, convert=convert)
        for _ in range(2)
    ]
    assert folders == [cache / DEFAULT_MODEL] * 2
    assert (convert.runs, phases) == (1, ["converting"])
    assert {p.name for p in folders[0].iterdir()} == {"config.json", MARKER}


def test_an_interrupted_conversion_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        resolve(DEFAULT_MODEL, tmp_path, Converter(RuntimeError("interrupted")))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("marker", [None, "another recipe\n"])
def test_what_is_half_written_or_old_is_converted_again(tmp_path: Path, marker: str | None) -> None:
    folder, convert = tmp_path / DEFAULT_MODEL, Converter()
    folder.mkdir()
    (folder / "model.safetensors").write_text("half")
    if marker is not None:
        (folder / MARKER).write_text(marker)
    assert resolve(DEFAULT_MODEL, tmp_path, convert) == folder
    assert convert.runs == 1
    assert not (folder / "model.safetensors").exists()


def test_two_processes_at_once_both_succeed(tmp_path: Path) -> None:
    class Slow(Converter):
        def __call__(self, target: Path, progress: Progress) -> None:
            super().__call__(target, progress)
            resolve(DEFAULT_MODEL, tmp_path)  # as another process would, meanwhile

    assert resolve(DEFAULT_MODEL, tmp_path, Slow()) == tmp_path / DEFAULT_MODEL
    assert [p.name for p in tmp_path.iterdir()] == [DEFAULT_MODEL]


def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    error = OSError(28, "No space left on device")
    with pytest.raises(ModelNotAvailable, match=r"^model: .*No space left.*XDG_CACHE_HOME"):
        resolve(DEFAULT_MODEL, tmp_path, Converter(error))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_cache_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ModelNotAvailable, match="XDG_CACHE_HOME"):
        resolve(DEFAULT_MODEL, tmp_path / "c")


def test_a_local_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert resolve(str(tmp_path), tmp_path / "c") == tmp_path
    assert not (tmp_path / "c").exists()


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelNotAvailable, match=r"^model: .*config\.json"):
        resolve(str(tmp_path), tmp_path)


@pytest.mark.parametrize("name", ["/no/such/folder", "./models/none", "none", "a/b/c", ""])
def test_a_missing_folder_names_key_and_fix(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelNotAvailable, match=r"^model: .*(folder|config\.json)"):
        resolve(name, tmp_path)


@pytest.mark.parametrize("error", [OSError("no route"), ValueError("gated"), RuntimeError("x")])
def test_a_hub_failure_names_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*args: object, **kwargs: object) -> str:
        raise error

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(ModelNotAvailable) as caught:
        resolve("some/model", tmp_path)
    for part in ("model:", "some/model", "HF_TOKEN", "network", "local folder"):
        assert part in str(caught.value)

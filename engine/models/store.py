"""`resolve_model`: the local folder of a config's `model`, fetched or converted where needed."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from engine.errors import ModelNotAvailable
from engine.models.smollm2 import RECIPE, Progress, convert
from engine.options import DEFAULT_MODEL

MARKER: Final = ".complete"  # its text is the recipe of the conversion


def resolve_model(
    name: str,
    *,
    cache: Path,
    progress: Progress,
    convert: Callable[[Path, Progress], None] = convert,
) -> Path:
    """Return the local folder of a model; raise ModelNotAvailable where it cannot be had.

    `progress` gets a sentence for each phase. `convert` writes the default model into a folder;
    it runs once for each `cache`.
    """
    if name == DEFAULT_MODEL:
        return _converted(cache / name, convert, progress)
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _checked(folder)
    if _is_hub_name(name):
        return _downloaded(name, progress)
    raise ModelNotAvailable(
        f"model: the folder {name} does not exist; "
        f"give a local folder, a hub name (organisation/name) or {DEFAULT_MODEL}."
    )


def _checked(folder: Path) -> Path:
    if not (folder / "config.json").is_file():
        raise ModelNotAvailable(
            f"model: the folder {folder} has no config.json; "
            "give a folder in Hugging Face format (config.json, *.safetensors, tokenizer.json)."
        )
    return folder.resolve()


def _is_hub_name(name: str) -> bool:
    organisation, slash, model = name.partition("/")
    return bool(organisation.strip("./~") and slash and model) and "/" not in model


def _downloaded(name: str, progress: Progress) -> Path:
    progress(f"fetching {name} from the Hugging Face hub")
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(name, ignore_patterns=["*.pth", "original/*"]))
    except Exception as error:  # the hub's client raises its transport's errors too
        raise ModelNotAvailable(
            f"model: {name} is no local folder and could not be fetched from the Hugging Face hub "
            f"({type(error).__name__}); set HF_TOKEN if the model is gated, check the network, "
            "or give a local folder."
        ) from error


def _converted(folder: Path, convert: Callable[[Path, Progress], None], progress: Progress) -> Path:
    if _is_complete(folder):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Beside the final folder, so that the rename stays on one file system.
        with tempfile.TemporaryDirectory(
            prefix=f".{folder.name}-", dir=folder.parent, ignore_cleanup_errors=True
        ) as path:
            unfinished = Path(path)
            convert(unfinished, progress)
            (unfinished / MARKER).write_text(RECIPE, "utf-8")
            _publish(unfinished, folder)
    except OSError as error:
        raise ModelNotAvailable(
            f"model: {folder} cannot be written ({error.strerror or type(error).__name__}); "
            "free some space (0.6 GB are needed) or set XDG_CACHE_HOME to a writable folder."
        ) from error
    return folder


def _is_complete(folder: Path) -> bool:
    marker = folder / MARKER
    return marker.is_file() and marker.read_text("utf-8") == RECIPE


def _publish(unfinished: Path, folder: Path) -> None:
    """Rename a finished folder; of two processes that finish at once, one wins, both succeed."""
    if folder.exists() and not _is_complete(folder):
        shutil.rmtree(folder)
    try:
        unfinished.chmod(0o755)  # a temporary folder's mode is for its owner alone
        unfinished.rename(folder)
    except OSError:
        if not _is_complete(folder):
            raise

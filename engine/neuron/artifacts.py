"""Compiled artifacts: a folder whose name is a hash of everything that shapes them."""

import fcntl
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

MANIFEST: Final = "neuron-gateway.json"
_REQUIRED: Final = ("neuron_config.json", "model.pt")


def model_identity(folder: Path) -> str:
    """Return a hash of a model's config, and of the names and sizes of its weights' files."""
    digest = hashlib.sha256()
    config = folder / "config.json"
    digest.update(config.read_bytes() if config.is_file() else b"")
    for file in sorted(folder.glob("*.safetensors")):
        digest.update(f"{file.name} {file.stat().st_size}\n".encode())
    return digest.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Artifacts:
    """The artifacts for one set of facts: everything that shapes them, JSON-serializable."""

    root: Path
    facts: Mapping[str, Any]

    @property
    def key(self) -> str:
        """The name of the folder: 16 hexadecimal digits."""
        text = json.dumps(self.facts, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def folder(self) -> Path:
        """The folder, below `root`."""
        return self.root / self.key

    @property
    def work_folder(self) -> Path:
        """The folder of the compiler's own files, which no other launch may share."""
        return self.root / f".{self.key}.work"

    @property
    def quantized_weights(self) -> Path:
        """The folder into which the plugin quantizes weights before it compiles.

        It exists while a compile runs, as the plugin requires; the compiled folder has the weights
        of each rank.
        """
        return self.work_folder / "quantized"

    @property
    def exists(self) -> bool:
        """Whether the folder holds what the runtime loads."""
        return all((self.folder / name).is_file() for name in _REQUIRED)

    def missing(self) -> str:
        """Return a sentence that names the folder, and how the most similar artifacts differ."""
        sentence = f"No compiled artifacts {self.key} in {self.root}."
        others = [
            (_difference(self.facts, json.loads(file.read_text("utf-8"))), file.parent.name)
            for file in sorted(self.root.glob(f"*/{MANIFEST}"))
        ]
        if not others:
            return sentence
        fields, name = min(others, key=lambda other: len(other[0]))
        return f"{sentence} {name} exists and differs in {', '.join(sorted(fields))}."

    @contextmanager
    def building(self) -> Iterator[Path]:
        """Yield the folder to start from: the finished one, or one to compile into.

        A compiled folder is renamed to its key when the block ends without an error, so that a
        partial one is never loaded. Of several processes one compiles; the others wait, and load.
        """
        if not self.exists:
            self.root.mkdir(parents=True, exist_ok=True)
            with (self.root / f".{self.key}.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not self.exists:
                    partial = self.root / f".{self.key}.partial"
                    shutil.rmtree(partial, ignore_errors=True)
                    self.quantized_weights.mkdir(parents=True, exist_ok=True)
                    yield partial
                    self._finish(partial)
                    return
        yield self.folder

    def _finish(self, partial: Path) -> None:
        manifest = json.dumps(self.facts, indent=1, sort_keys=True)
        (partial / MANIFEST).write_text(f"{manifest}\n", "utf-8")
        shutil.rmtree(self.work_folder, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        partial.rename(self.folder)


def _difference(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> set[str]:
    return {name for name in {*wanted, *found} if wanted.get(name) != found.get(name)}

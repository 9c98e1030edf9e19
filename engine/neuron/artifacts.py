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

from engine.models.digests import KEPT, file_digests

MANIFEST: Final = "neuron-gateway.json"
_WEIGHTS: Final = ("*.safetensors", "*.bin")


def model_facts(folder: Path) -> dict[str, str]:
    """Return digests of a model's weights and of its config.

    The compiled folder holds the weights too: those of another version must have another name.
    """
    names = [file.name for pattern in _WEIGHTS for file in sorted(folder.glob(pattern))]
    config = folder / "config.json"
    return {
        "weights": _short_hash(_as_json(file_digests(folder, names))),
        "config": _short_hash(config.read_text("utf-8") if config.is_file() else ""),
    }


def weight_bytes(folder: Path) -> int:
    """Return the size of all files that `model_facts` reads."""
    return sum(file.stat().st_size for pattern in _WEIGHTS for file in folder.glob(pattern))


@dataclass(frozen=True, slots=True)
class Artifacts:
    """The artifacts for one set of facts: everything that shapes them, JSON-serializable."""

    root: Path
    facts: Mapping[str, Any]

    @property
    def key(self) -> str:
        """The name of the folder: 16 hexadecimal digits."""
        return _short_hash(_as_json(self.facts))

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
        """Whether the folder is finished, and holds every file that was compiled."""
        return self._manifest.is_file() and self._damaged_size() is None

    @property
    def _manifest(self) -> Path:
        return self.folder / MANIFEST

    def damage(self) -> str | None:
        """Return why a finished folder cannot be loaded, None where it can or is not there.

        Reads every file whose size or time has changed since it was read last.
        """
        if not self._manifest.is_file():
            return None
        name = self._damaged_size() or self._damaged_content()
        if name is None:
            return None
        state = "has changed" if (self.folder / name).is_file() else "is missing"
        return f"{name} of the compiled artifacts {self.folder} {state} since the compile."

    def missing(self) -> str:
        """Return a sentence that names the folder, and how the most similar artifacts differ."""
        if damage := self.damage():
            return damage
        sentence = f"No compiled artifacts {self.key} in {self.root}."
        others = [
            (_difference(self.facts, _read(file)["facts"]), file.parent.name)
            for file in sorted(self.root.glob(f"*/{MANIFEST}"))
        ]
        if not others:
            return sentence
        fields, name = min(others, key=lambda other: len(other[0]))
        return f"{sentence} {name} exists and differs in {', '.join(sorted(fields))}."

    @contextmanager
    def building(self) -> Iterator[Path]:
        """Yield the folder to start from: the finished one, or one to compile into.

        A compiled folder is renamed to its key when the block ends without an error; after an error
        nothing is left of it. Of several processes one compiles; the others wait, and load.
        """
        if not self.exists:
            self.root.mkdir(parents=True, exist_ok=True)
            with (self.root / f".{self.key}.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not self.exists:
                    partial = self.root / f".{self.key}.partial"
                    shutil.rmtree(partial, ignore_errors=True)
                    self.quantized_weights.mkdir(parents=True, exist_ok=True)
                    try:
                        yield partial
                        self._finish(partial)
                    finally:
                        shutil.rmtree(self.work_folder, ignore_errors=True)
                        shutil.rmtree(partial, ignore_errors=True)
                    return
        yield self.folder

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _finish(self, partial: Path) -> None:
        names = sorted(
            str(file.relative_to(partial))
            for file in partial.rglob("*")
            if file.is_file() and file.name != KEPT
        )
        digests = file_digests(partial, names)
        files = {
            name: {"size": (partial / name).stat().st_size, "digest": digests[name]}
            for name in names
        }
        manifest = json.dumps({"facts": self.facts, "files": files}, indent=1, sort_keys=True)
        (partial / MANIFEST).write_text(f"{manifest}\n", "utf-8")
        self.remove()
        partial.rename(self.folder)

    def _damaged_size(self) -> str | None:
        """Return the name of a file that is missing or of another size."""
        for name, wanted in _read(self._manifest)["files"].items():
            file = self.folder / name
            if not file.is_file() or file.stat().st_size != wanted["size"]:
                return str(name)
        return None

    def _damaged_content(self) -> str | None:
        files = _read(self._manifest)["files"]
        digests = file_digests(self.folder, list(files))
        return next((name for name in files if digests[name] != files[name]["digest"]), None)


def _read(manifest: Path) -> dict[str, Any]:
    """Return a manifest; an empty one where it is no manifest of this version."""
    try:
        found = json.loads(manifest.read_text("utf-8"))
    except ValueError:
        found = {}
    other = {"facts": {}, "files": {MANIFEST: {"size": -1}}}
    return found if isinstance(found, dict) and found.keys() == other.keys() else other


def _difference(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> set[str]:
    return {name for name in {*wanted, *found} if wanted.get(name) != found.get(name)}


def _as_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]

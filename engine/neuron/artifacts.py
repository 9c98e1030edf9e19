"""Compiled artifacts: a folder whose name is a hash of everything that shapes them."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

MANIFEST: Final = "neuron-gateway.json"
_NEEDED: Final = ("neuron_config.json", "model.pt")


def model_identity(folder: Path) -> str:
    """Identify a local model: its config, and the names and sizes of its weights."""
    digest = hashlib.sha256()
    config = folder / "config.json"
    digest.update(config.read_bytes() if config.is_file() else b"")
    for file in sorted(folder.glob("*.safetensors")):
        digest.update(f"{file.name} {file.stat().st_size}\n".encode())
    return digest.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Artifacts:
    """The artifacts for one set of facts, under the folder `root`."""

    root: Path
    facts: Mapping[str, Any]

    @property
    def key(self) -> str:
        """Give the name of the folder: 16 hexadecimal digits."""
        text = json.dumps(self.facts, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def folder(self) -> Path:
        """Give the folder."""
        return self.root / self.key

    @property
    def there(self) -> bool:
        """Whether the folder holds what the runtime loads, and for these facts."""
        return all((self.folder / name).is_file() for name in _NEEDED)

    def missing(self) -> str:
        """Say what was looked for, and how the most similar artifacts differ."""
        looked = f"No compiled artifacts {self.key} in {self.root}."
        others = [(_difference(self.facts, facts), name) for name, facts in self._others()]
        if not others:
            return looked
        fields, name = min(others, key=lambda other: len(other[0]))
        return f"{looked} {name} is there and differs in {', '.join(sorted(fields))}."

    def _others(self) -> list[tuple[str, dict[str, Any]]]:
        manifests = sorted(self.root.glob(f"*/{MANIFEST}"))
        return [(file.parent.name, json.loads(file.read_text("utf-8"))) for file in manifests]

    def describe(self, folder: Path) -> None:
        """Write the facts beside the artifacts, for the next one who looks for others."""
        (folder / MANIFEST).write_text(json.dumps(self.facts, indent=1, sort_keys=True) + "\n")


def _difference(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> set[str]:
    return {name for name in {*wanted, *found} if wanted.get(name) != found.get(name)}

"""`node_report`: one JSON text of what a node is and did, to be sent to others."""

import io
import json
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from rich.console import Console

from engine import Finding
from gateway.commands.check_report import report
from gateway.commands.redaction import redact
from gateway.config import AppConfig, ConfigError, ModelConfig
from gateway.version import VERSION

WIDTH: Final = 120  # characters of the lines of `check`
MOST_BYTES: Final = 200_000  # of an attached file: its end is kept
NEXT: Final = (
    "the first day on hardware, in engine/neuron/README.md",
    "make test-neuron URL=http://127.0.0.1:8000: test_hardware.py, every test",
)


def node_report(
    config: AppConfig, model: ModelConfig, found: Sequence[Finding], attached: Sequence[Path]
) -> str:
    """Return versions, the findings, what `check` shows, and texts of files by their names.

    Paths, host names and secrets are left out. Raises ConfigError for a file that cannot be read.
    """
    errors = [one.fix for one in found if one.state == "error"]
    parts = {
        "gateway": VERSION,
        "python": platform.python_version(),
        "kernel": platform.release(),
        "model": model.id,
        "findings": [asdict(one) for one in found],
        "check": _check(config).splitlines(),
        "next": errors or NEXT,
        "attached": {file.name: _text(file).splitlines() for file in attached},
    }
    return redact(json.dumps(parts, indent=1, ensure_ascii=False), _names(config, model)) + "\n"


def _check(config: AppConfig) -> str:
    text = io.StringIO()
    console = Console(file=text, width=WIDTH, soft_wrap=True)
    for part in report(config, offline=True):
        console.print(part, markup=False, highlight=False)
    return text.getvalue()


def _names(config: AppConfig, model: ModelConfig) -> dict[str, str]:
    """Return the paths that the config has, with what stands for them."""
    names = dict(_paths("<model>", model.engine.model))
    if config.keys_file:
        names |= _paths("<keys_file>", config.keys_file)
    return names


def _paths(name: str, path: str) -> Iterator[tuple[str, str]]:
    if path.startswith(("/", ".", "~")):
        yield path, name
        yield str(Path(path).expanduser().absolute()), name


def _text(file: Path) -> str:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"--attach: {file} cannot be read ({error.strerror}). Give a file, or leave it out."
        ) from None
    return data[-MOST_BYTES:].decode("utf-8", "replace")

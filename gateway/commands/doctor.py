"""What keeps this node from serving a config, as `neuron-gateway doctor` shows it."""

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from engine import Finding
from gateway.config import AppConfig, ConfigError, ModelConfig

_COLOURS = {"ok": "green", "warning": "yellow", "error": "red"}


def compiled_model(config: AppConfig) -> ModelConfig:
    """Return the model whose graphs are compiled ahead of time; raise ConfigError for none."""
    for model in config.models:
        if model.engine.device.compiler is not None:
            return model
    raise ConfigError("models.0.engine.device: kind is not neuron. Give a config for inf2.")


def table(found: Iterable[Finding]) -> Table:
    """Return the findings with their fixes, for the terminal."""
    shown = Table()
    for name in ("", "what", "seen", "fix"):
        shown.add_column(name)
    for one in found:
        shown.add_row(Text(one.state, style=_COLOURS[one.state]), one.name, one.seen, one.fix)
    return shown

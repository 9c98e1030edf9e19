"""What keeps this node from serving a config, as `neuron-gateway doctor` shows it."""

from collections.abc import Iterable
from pathlib import Path

from rich.table import Table
from rich.text import Text

from engine import Neuron
from engine.models.shape import known_shape
from engine.neuron.node.doctor import Finding, examine
from engine.neuron.node.machine import Node
from gateway.config import AppConfig, ConfigError, ModelConfig

_COLOURS = {"ok": "green", "look": "yellow", "bad": "red"}


def neuron_model(config: AppConfig) -> ModelConfig:
    """Give the model that runs on NeuronCores; raises ConfigError where none does."""
    for model in config.models:
        if isinstance(model.engine.device, Neuron):
            return model
    raise ConfigError("models.0.engine.device: kind is not neuron. Give a config for inf2.")


def findings(config: AppConfig, root: Path = Path("/")) -> list[Finding]:
    """Examine the node whose files are below `root` for the config's Neuron device."""
    engine = neuron_model(config).engine
    assert isinstance(engine.device, Neuron)
    return list(examine(engine.device, known_shape(engine.model), Node(root)))


def table(found: Iterable[Finding]) -> Table:
    """Show each finding with its fix."""
    shown = Table()
    for name in ("", "what", "seen", "fix"):
        shown.add_column(name)
    for one in found:
        shown.add_row(Text(one.state, style=_COLOURS[one.state]), one.what, one.seen, one.fix)
    return shown

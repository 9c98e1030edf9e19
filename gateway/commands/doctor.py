"""`neuron-gateway doctor`: what keeps a node from serving a config, as a table and as a file."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from engine import Finding, Host
from gateway.commands.errors import exit_on_config_error
from gateway.commands.node_report import node_report
from gateway.config import AppConfig, ConfigError, ModelConfig, load_config

_COLOURS = {"ok": "green", "warning": "yellow", "error": "red"}

NeuronFile = Annotated[
    Path,
    typer.Argument(
        envvar="NEURON_GATEWAY_CONFIG",
        help="A Ray Serve config file with `device: {kind: neuron}`.",
    ),
]


def doctor(
    config: NeuronFile,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Write what was found, versions and the plan into this JSON file, to be sent to "
            "others: without paths, host names and secrets."
        ),
    ] = None,
    attach: Annotated[
        list[Path] | None,
        typer.Option(help="Put the text of this file into the report; may be repeated."),
    ] = None,
) -> None:
    """List what keeps this node from serving a config on its NeuronCores, with the fixes."""
    with exit_on_config_error():
        if attach and report is None:
            raise ConfigError("--attach: is for --report. Give --report FILE too.")
        loaded = load_config(config)
        model = compiled_model(loaded)
        found = list(model.engine.device.examine(model.engine, Host()))
        if report is not None:
            _write(report, node_report(loaded, model, found, attach or ()))
    Console().print(table(found))
    if any(one.state == "error" for one in found):
        raise typer.Exit(1)


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        raise ConfigError(f"--report: {file} cannot be written ({error.strerror}).") from None


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

"""`neuron-gateway check`: validate a config file, or print its JSON Schema."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gateway.commands.check_report import read_lengths, report
from gateway.commands.errors import exit_on_config_error
from gateway.commands.preflight import check as check_machine
from gateway.config import ConfigError, load_config
from gateway.config.schema import config_schema


def check(
    config: Annotated[Path | None, typer.Argument(help="A Ray Serve config file.")] = None,
    lengths: Annotated[
        str,
        typer.Option(
            help="Prompt lengths in tokens, `200,1500`, or a file with one per line: show the "
            "padding of their compiled buckets (neuron)."
        ),
    ] = "",
    offline: Annotated[
        bool,
        typer.Option(
            "--offline",
            help="Check the file only, not this machine: packages, model, memory, keys_file.",
        ),
    ] = False,
    schema: Annotated[
        bool,
        typer.Option("--schema", help="Print the JSON Schema of the config file, for editors."),
    ] = False,
) -> None:
    """Validate a config file and print what it would serve, without starting anything."""
    if schema:
        typer.echo(json.dumps(config_schema(), indent=2))
        return
    with exit_on_config_error():
        if config is None:
            raise ConfigError("check: give a config file, or --schema.")
        loaded = load_config(config)
        if not offline:
            check_machine(loaded)
        parts = list(report(loaded, read_lengths(lengths), offline=offline))
    console = Console(soft_wrap=True)
    for part in parts:
        console.print(part, markup=False, highlight=False)

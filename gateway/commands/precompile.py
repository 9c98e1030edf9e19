"""`neuron-gateway precompile`: compile a model for NeuronCores before it is served."""

import asyncio
from typing import Annotated

import typer
from rich.console import Console

from gateway.commands.doctor import NeuronFile, compiled_model
from gateway.commands.errors import exit_on_config_error
from gateway.commands.prepare import prepare_models
from gateway.commands.progress import Progress
from gateway.config import ConfigError, load_config


def precompile(
    config: NeuronFile,
    offline: Annotated[
        bool,
        typer.Option(
            "--offline",
            help="Compile on any x86 host with AWS's image: no device is needed or used.",
        ),
    ] = False,
) -> None:
    """Compile a config's model on an inf2 instance, so that `compile: never` can start it."""
    from engine import EngineDead, Host
    from engine import precompile as compile_artifacts

    progress = Progress(Console(soft_wrap=True))
    with exit_on_config_error():
        loaded = load_config(config)
        problem = compiled_model(loaded).engine.device.device_problem(Host())
        if problem and not offline:  # before gigabytes are downloaded and hashed
            raise ConfigError(f"{problem} Or compile without a device: add --offline.")
        model = compiled_model(prepare_models(loaded, progress, keys=False))
        try:
            folder = asyncio.run(
                compile_artifacts(model.id, model.engine, progress, offline=offline)
            )
        except EngineDead as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from None
        finally:
            progress.end()
    typer.echo(f"artifacts: {folder}")

"""`neuron-gateway precompile`: compile a model for NeuronCores before it is served."""

import asyncio

import typer
from rich.console import Console

from gateway.commands.doctor import NeuronFile, compiled_model
from gateway.commands.errors import exit_on_config_error
from gateway.commands.prepare import prepare_models
from gateway.commands.progress import Progress
from gateway.config import load_config


def precompile(config: NeuronFile) -> None:
    """Compile a config's model on an inf2 instance, so that `compile: never` can start it."""
    from engine import EngineDead
    from engine import precompile as compile_artifacts

    progress = Progress(Console(soft_wrap=True))
    with exit_on_config_error():
        loaded = prepare_models(load_config(config), progress, keys=False)
        model = compiled_model(loaded)
        try:
            folder = asyncio.run(compile_artifacts(model.id, model.engine, progress))
        except EngineDead as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from None
        finally:
            progress.end()
    typer.echo(f"artifacts: {folder}")

"""`neuron-gateway`: the commands of the command line, in the order of `--help`.

Ray, the engines and the clients are imported by the command that needs them.
"""

import typer
from rich.console import Console

from engine import Host
from gateway.commands.check import check
from gateway.commands.doctor import compiled_model, table
from gateway.commands.errors import exit_on_config_error
from gateway.commands.extensions import ExtensibleGroup
from gateway.commands.keys import commands as keys
from gateway.commands.precompile import NeuronFile, precompile
from gateway.commands.serve import serve
from gateway.config import load_config
from gateway.version import VERSION


def doctor(config: NeuronFile) -> None:
    """List what keeps this node from serving a config on its NeuronCores, with the fixes."""
    with exit_on_config_error():
        engine = compiled_model(load_config(config)).engine
        found = list(engine.device.examine(engine, Host()))
    Console().print(table(found))
    if any(one.state == "error" for one in found):
        raise typer.Exit(1)


def version() -> None:
    """Print the version."""
    typer.echo(VERSION)


app = typer.Typer(
    cls=ExtensibleGroup,
    help="An OpenAI-compatible inference gateway for vLLM and AWS Inferentia2.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (serve, check, doctor, precompile, version):
    app.command()(command)
app.add_typer(keys, name="keys")


def main() -> None:
    """Run the command line."""
    app()

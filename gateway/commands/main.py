"""`neuron-gateway`: the commands of the command line, in the order of `--help`.

Ray, the engines and the clients are imported by the command that needs them.
"""

import typer

from gateway.commands.check import check
from gateway.commands.doctor import doctor
from gateway.commands.extensions import ExtensibleGroup
from gateway.commands.keys import commands as keys
from gateway.commands.precompile import precompile
from gateway.commands.serve import serve
from gateway.version import VERSION


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

"""`neuron-gateway keys`: make and withdraw API keys."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.commands.errors import exit_on_config_error
from gateway.keys.store import new_key, read_keys, remove_key

commands = typer.Typer(help="Make and withdraw API keys.", no_args_is_help=True)
File = Annotated[Path, typer.Option("--file", help="The file of hashes: the config's keys_file.")]
Name = Annotated[str, typer.Argument(help="Whose key it is, as logs and metrics will show it.")]
DEFAULT_FILE = Path("keys.yaml")


@commands.command()
def new(
    name: Name,
    file: File = DEFAULT_FILE,
    requests_per_minute: int | None = None,
    tokens_per_minute: int | None = None,
    concurrency: int | None = None,
    model: Annotated[list[str] | None, typer.Option(help="A model it is for; may repeat.")] = None,
    priority: float | None = None,
    metrics: Annotated[bool, typer.Option("--metrics", help="It may read /metrics.")] = False,
) -> None:
    """Print a new key, once, and add its hash to the file; running gateways see it in a second."""
    with exit_on_config_error():
        text = new_key(
            file,
            name,
            requests_per_minute=requests_per_minute,
            tokens_per_minute=tokens_per_minute,
            concurrency=concurrency,
            models=tuple(model) if model else None,
            priority=priority,
            metrics=metrics or None,
        )
    typer.echo(f"{file}: {name} added. This is the only time that the key is shown:", err=True)
    typer.echo(text)


@commands.command()
def remove(name: Name, file: File = DEFAULT_FILE) -> None:
    """Withdraw a key; running gateways refuse it within a second."""
    with exit_on_config_error():
        remove_key(file, name)
    typer.echo(f"{file}: {name} removed.", err=True)


@commands.command("list")
def list_(file: File = DEFAULT_FILE) -> None:
    """List the keys by name with their limits."""
    with exit_on_config_error():
        keys = read_keys(file)
    for key in keys:
        limits = key.model_dump(exclude={"name", "sha256"}, exclude_defaults=True)
        typer.echo(" ".join((key.name, *(f"{name}={value}" for name, value in limits.items()))))

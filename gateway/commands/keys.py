"""`neuron-gateway keys`: create, revoke and list API keys."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.commands.errors import exit_on_config_error
from gateway.keys.store import new_key, read_keys, remove_key

commands = typer.Typer(help="Create, revoke and list API keys.", no_args_is_help=True)
File = Annotated[
    Path, typer.Option("--file", help="File of key hashes: `keys_file` of the config.")
]
Name = Annotated[str, typer.Argument(help="Name of the key in logs and metrics.")]
DEFAULT_FILE = Path("keys.yaml")


@commands.command()
def new(
    name: Name,
    file: File = DEFAULT_FILE,
    requests_per_minute: Annotated[int | None, typer.Option(help="Default: no limit.")] = None,
    tokens_per_minute: Annotated[
        int | None, typer.Option(help="Prompt and output tokens. Default: no limit.")
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option(help="Running requests per replica. Default: no limit.")
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="Allow this model; may repeat. Default: all.")
    ] = None,
    priority: Annotated[
        float | None,
        typer.Option(help="Share of tokens while requests wait, 0.01 to 100. Default: 1."),
    ] = None,
    unknown_fields: Annotated[
        str | None, typer.Option(help="report or refuse. Default: as in the config.")
    ] = None,
    unsupported_hints: Annotated[
        str | None, typer.Option(help="report or refuse. Default: as in the config.")
    ] = None,
    max_tokens_over_context: Annotated[
        str | None, typer.Option(help="lower or refuse. Default: as in the config.")
    ] = None,
    metrics: Annotated[bool, typer.Option("--metrics", help="Allow GET /metrics.")] = False,
    first: Annotated[
        bool, typer.Option("--first", help="Make none where the file has keys already.")
    ] = False,
) -> None:
    """Print a new key and add its hash to the file; running gateways reload it within 1 s."""
    with exit_on_config_error():
        if first and file.exists() and read_keys(file):
            typer.echo(f"{file} has keys already.", err=True)
            return
        text = new_key(
            file,
            name,
            requests_per_minute=requests_per_minute,
            tokens_per_minute=tokens_per_minute,
            concurrency=concurrency,
            models=tuple(model) if model else None,
            priority=priority,
            metrics=metrics or None,
            unknown_fields=unknown_fields,
            unsupported_hints=unsupported_hints,
            max_tokens_over_context=max_tokens_over_context,
        )
    typer.echo(f"{file}: {name} added. The key is shown only once:", err=True)
    typer.echo(text)


@commands.command()
def remove(name: Name, file: File = DEFAULT_FILE) -> None:
    """Revoke a key; running gateways reject it within 1 s."""
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

"""`exit_on_config_error`: how a command refuses: one sentence on standard error, exit code 2, no traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from gateway.config import ConfigError


@contextmanager
def exit_on_config_error() -> Iterator[None]:
    """Turn a ConfigError into the command's refusal, and Ctrl-C into a quiet end."""
    try:
        yield
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None

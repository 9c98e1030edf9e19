"""How a command reports an unusable config: a sentence on standard error, exit code 2."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from gateway.config import ConfigError


@contextmanager
def exit_on_config_error() -> Iterator[None]:
    """Exit with code 2 and the message of a ConfigError, or with code 130 on Ctrl-C."""
    try:
        yield
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None

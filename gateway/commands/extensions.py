"""Commands of other packages, found by their entry points in the group `neuron_gateway.commands`.

An entry point names a function with Typer's annotations, such as
`chat = "clients.chat_command:chat"`. Its module is imported for the list of commands too, so it
must import what is slow inside the function.
"""

from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

import typer
from typer.core import TyperGroup

GROUP: Final = "neuron_gateway.commands"


class ExtensibleGroup(TyperGroup):
    """The built-in commands, then those of entry points; only a needed one is imported."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands."""
        return [*super().list_commands(ctx), *entry_points(group=GROUP).names]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command by its name; None if there is none."""
        command = super().get_command(ctx, cmd_name)
        extensions = () if command else entry_points(group=GROUP, name=cmd_name)
        return command or next(map(_load, extensions), None)


def _load(entry_point: EntryPoint) -> Any:
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(entry_point.name)(_function(entry_point))
    return typer.main.get_command(app)


def _function(entry_point: EntryPoint) -> Any:
    try:
        return entry_point.load()
    except (ImportError, AttributeError) as error:
        message = f"{entry_point.name}: {entry_point.value} cannot be imported ({error})."

    def unusable() -> None:
        typer.echo(f"{message} Reinstall or remove the package that brings it.", err=True)
        raise typer.Exit(2)

    unusable.__doc__ = "Unusable: its package cannot be imported."
    return unusable

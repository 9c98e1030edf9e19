"""`neuron-gateway chat`: a chat in the terminal with any OpenAI-compatible server."""

import asyncio
import sys
from typing import Annotated

import typer
from rich.console import Console

from gateway.commands.errors import exit_on_config_error
from gateway.config import ConfigError
from gateway.serving.environment import client_key, client_url


def chat(
    message: Annotated[str, typer.Argument(help="Ask this and end; else what is typed.")] = "",
    url: Annotated[str, typer.Option(help="Base URL; else OPENAI_BASE_URL.")] = "",
    model: Annotated[str, typer.Option(help="Else the first that the server lists.")] = "",
    system: Annotated[str, typer.Option(help="The system prompt.")] = "",
    temperature: Annotated[float | None, typer.Option(min=0, max=2)] = None,
    top_p: Annotated[float | None, typer.Option(min=0, max=1)] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1)] = None,
) -> None:
    """Chat in the terminal; the key is that of OPENAI_API_KEY. Plain text where it is piped."""
    with exit_on_config_error():
        try:
            from clients.conversation import Failed, Settings, client, models
            from clients.terminal import Chat, prompted
        except ImportError:
            raise ConfigError("chat needs openai. Install neuron-gateway[clients].") from None
        base = url or client_url()
        try:
            known = asyncio.run(models(client(base, client_key())))
        except Failed as error:
            raise ConfigError(str(error)) from None
        if not known:
            raise ConfigError(f"--url: {base} serves no model that this key may use.")
        if model and model not in known:
            raise ConfigError(f"--model: {model} is not served there. Give {', '.join(known)}.")
        settings = Settings(
            model=model or known[0], system=system, temperature=temperature, top_p=top_p,
            max_tokens=max_tokens,
        )  # fmt: skip
        console = Console()
        chatting = Chat(client(base, client_key()), settings, console)
        lines = [message] if message else prompted(console, sys.stdin)
        if not chatting.run(lines):
            raise typer.Exit(1)

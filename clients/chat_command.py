"""`neuron-gateway chat`: a chat in the terminal with any OpenAI-compatible server."""

import asyncio
import sys
from typing import Annotated, NoReturn

import typer
from rich.console import Console

Url = Annotated[str, typer.Option(envvar="OPENAI_BASE_URL", help="Base URL of the API.")]
Key = Annotated[str, typer.Option(envvar="OPENAI_API_KEY", help="API key. Default: none.")]


def chat(
    message: Annotated[
        str, typer.Argument(help="Answer this message and exit. Default: read from the terminal.")
    ] = "",
    url: Url = "http://127.0.0.1:8000/v1",
    key: Key = "",
    model: Annotated[str, typer.Option(help="Default: the first that the server lists.")] = "",
    system: Annotated[str, typer.Option(help="System prompt.")] = "",
    temperature: Annotated[
        float | None, typer.Option(min=0, max=2, help="Default: the server's.")
    ] = None,
    top_p: Annotated[
        float | None, typer.Option(min=0, max=1, help="Default: the server's.")
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="Most tokens of an answer. Default: the context.")
    ] = None,
) -> None:
    """Chat in the terminal; plain text on standard output if it is piped."""
    try:
        from clients.conversation import ChatError, Settings, make_client
        from clients.terminal import TerminalChat, read_lines
    except ImportError:
        _exit("chat needs the package openai. Install neuron-gateway[clients].")
    try:
        models = asyncio.run(_list_models(url, key))
        if not models:
            _exit(f"--url: {url} serves no model that this API key may use.")
        if model and model not in models:
            _exit(f"--model: {model} is not served there. Use one of {', '.join(models)}.")
        settings = Settings(
            model=model or models[0], system=system, temperature=temperature, top_p=top_p,
            max_tokens=max_tokens,
        )  # fmt: skip
        console = Console()
        conversation = TerminalChat(make_client(url, key), settings, console)
        succeeded = conversation.run([message] if message else read_lines(console, sys.stdin))
    except ChatError as error:
        _exit(str(error))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    if not succeeded:
        raise typer.Exit(1)


async def _list_models(url: str, key: str) -> list[str]:
    """Return the models of a server; the client is closed in the event loop that it was used in."""
    from clients.conversation import list_models, make_client

    async with make_client(url, key) as client:
        return await list_models(client)


def _exit(sentence: str) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(2)

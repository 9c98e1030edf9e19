"""A chat in the terminal: streamed Markdown, Ctrl-C stops an answer; plain text if piped."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Final, TextIO

from openai import AsyncOpenAI
from rich.console import Console
from rich.live import Live
from rich.markdown import Markdown

from clients.conversation import Answer, ChatError, Message, Settings, list_models, stream_answer

HELP: Final = (
    "/model [NAME] lists or selects a model · /system [TEXT] · /save FILE · /new · /quit · "
    "Ctrl-C stops an answer"
)


class TerminalChat:
    """One conversation; `run` handles the lines that the user enters."""

    def __init__(self, client: AsyncOpenAI, settings: Settings, console: Console) -> None:
        self._client = client
        self._settings = settings
        self._console = console
        self._history: list[Message] = []
        self._answer = Answer()  # updated while it streams, so that a partial answer is kept
        self._runner = asyncio.Runner()  # one event loop: the client's connections belong to it
        self._commands: dict[str, Callable[[str], None]] = {
            "/model": self._model,
            "/system": self._system,
            "/save": self._save,
            "/new": lambda _: self._history.clear(),
            "/help": lambda _: self._print(HELP),
        }

    def run(self, lines: Iterable[str]) -> bool:
        """Handle each line until /quit, then close; return False if the last one failed."""
        succeeded = True
        try:
            for line in lines:
                if line.strip() in ("/quit", "/exit"):
                    break
                succeeded = self._handle(line.strip())
        finally:
            self._runner.run(self._client.close())
            self._runner.close()
        return succeeded

    def _handle(self, line: str) -> bool:
        name, _, rest = line.partition(" ")
        try:
            if not line:
                return True
            if name in self._commands:
                self._commands[name](rest.strip())
            elif name.startswith("/") and name.count("/") == 1:
                self._print(f"{name} is not a command. {HELP}")
            else:
                self._ask(line)
        except ChatError as error:
            self._print(str(error))
            return False
        return True

    def _ask(self, text: str) -> None:
        """Stream an answer and keep both messages; without any text of an answer, neither."""
        self._history.append({"role": "user", "content": text})
        self._answer = Answer()
        try:
            stream = self._stream_live if self._console.is_terminal else self._stream_plain
            self._runner.run(stream())
        finally:
            if self._answer.text:
                self._history.append({"role": "assistant", "content": self._answer.text})
            else:
                self._history.pop()

    async def _stream_live(self) -> None:
        """Render Markdown while it streams; Ctrl-C ends it and keeps the partial answer."""
        end = ""
        with Live(
            console=self._console, refresh_per_second=12, vertical_overflow="visible"
        ) as live:
            try:
                async with aclosing(self._stream()) as answers:
                    async for self._answer in answers:
                        live.update(Markdown(self._answer.text))
            except asyncio.CancelledError:  # Ctrl-C
                end = "stopped"
            except ChatError as error:
                end = str(error)
        self._print(end or self._answer.summary())

    async def _stream_plain(self) -> None:
        """Write the text of the answer as it streams, and nothing else."""
        written = 0
        async with aclosing(self._stream()) as answers:
            async for self._answer in answers:
                self._console.file.write(self._answer.text[written:])
                self._console.file.flush()
                written = len(self._answer.text)
        self._console.file.write("\n")

    def _stream(self) -> AsyncGenerator[Answer, None]:
        return stream_answer(self._client, self._settings, self._history)

    def _model(self, name: str) -> None:
        models = self._runner.run(list_models(self._client))
        if not name:
            self._print(" · ".join(models))
        elif name not in models:
            raise ChatError(f"{name} is not served here. Models: {', '.join(models)}.")
        else:
            self._settings = replace(self._settings, model=name)

    def _system(self, text: str) -> None:
        self._settings = replace(self._settings, system=text)

    def _save(self, name: str) -> None:
        if not name:
            raise ChatError("/save needs a file name.")
        file = Path(name).expanduser()
        messages = (f"**{one['role']}**\n\n{one['content']}" for one in self._history)
        try:
            file.write_text("\n\n".join(messages) + "\n", "utf-8")
        except OSError as error:
            raise ChatError(f"{file} cannot be written ({error.strerror}).") from None
        self._print(f"wrote {file}")

    def _print(self, text: str) -> None:
        if text and self._console.is_terminal:
            self._console.print(text, style="dim", markup=False, highlight=False)
        elif text:
            Console(stderr=True).print(text, markup=False, highlight=False)


def read_lines(console: Console, stdin: TextIO) -> Iterable[str]:
    """Yield the lines that are typed at a prompt, or those that are piped in."""
    if not stdin.isatty():
        yield from stdin
        return
    while True:
        try:
            yield console.input("[bold]> [/bold]")
        except (EOFError, KeyboardInterrupt):
            return

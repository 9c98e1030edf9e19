"""A chat in the terminal: Markdown as it grows, Ctrl-C stops an answer; plain text when piped."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Final, TextIO

from openai import AsyncOpenAI
from rich.console import Console
from rich.live import Live
from rich.markdown import Markdown

from clients.conversation import Answer, Failed, Message, Settings, ask, models

HELP: Final = (
    "/model [NAME] lists the models or takes one · /system [TEXT] · /save FILE · /new · /quit · "
    "Ctrl-C stops an answer"
)


class Chat:
    """One conversation; what is typed goes to `say`."""

    def __init__(self, server: AsyncOpenAI, settings: Settings, console: Console) -> None:
        self._server = server
        self._settings = settings
        self._console = console
        self._history: list[Message] = []
        self._said = Answer()  # kept as it grows, since it may break off
        self._runner = asyncio.Runner()  # one loop, for the client's connections belong to it
        self._commands: dict[str, Callable[[str], None]] = {
            "/model": self._model,
            "/system": self._system,
            "/save": self._save,
            "/new": lambda _: self._history.clear(),
            "/help": lambda _: self._tell(HELP),
        }

    def run(self, lines: Iterable[str]) -> bool:
        """Answer each line; False where the last answer failed."""
        fine = True
        for line in lines:
            if line.strip() in ("/quit", "/exit"):
                break
            fine = self.say(line.strip())
        return fine

    def say(self, line: str) -> bool:
        """Obey a command or answer a message; False where that failed."""
        name, _, rest = line.partition(" ")
        try:
            if not line:
                return True
            if name in self._commands:
                self._commands[name](rest.strip())
            elif name.startswith("/") and name.count("/") == 1:
                self._tell(f"{name} is no command. {HELP}")
            else:
                self._answer(line)
        except Failed as error:
            self._tell(str(error))
            return False
        return True

    def _answer(self, text: str) -> None:
        """Ask, show, and keep both; what failed before its first word is not kept."""
        self._history.append({"role": "user", "content": text})
        self._said = Answer()
        try:
            show = self._shown if self._console.is_terminal else self._plain
            self._runner.run(show())
        finally:
            if self._said.text:
                self._history.append({"role": "assistant", "content": self._said.text})
            else:
                self._history.pop()

    async def _shown(self) -> None:
        """Show Markdown as it grows; Ctrl-C ends it and keeps what is there."""
        end = ""
        with Live(
            console=self._console, refresh_per_second=12, vertical_overflow="visible"
        ) as live:
            try:
                async with aclosing(ask(self._server, self._settings, self._history)) as growing:
                    async for self._said in growing:
                        live.update(Markdown(self._said.text))
            except asyncio.CancelledError:  # Ctrl-C
                end = "stopped"
            except Failed as error:
                end = str(error)
        self._tell(end or self._said.line())

    async def _plain(self) -> None:
        """Write the text as it comes and nothing else."""
        written = 0
        async with aclosing(ask(self._server, self._settings, self._history)) as growing:
            async for self._said in growing:
                self._console.file.write(self._said.text[written:])
                self._console.file.flush()
                written = len(self._said.text)
        self._console.file.write("\n")

    def _model(self, name: str) -> None:
        known = self._runner.run(models(self._server))
        if not name:
            self._tell(" · ".join(known))
        elif name not in known:
            raise Failed(f"{name} is no model here: {', '.join(known)}.")
        else:
            self._settings = replace(self._settings, model=name)

    def _system(self, text: str) -> None:
        self._settings = replace(self._settings, system=text)

    def _save(self, name: str) -> None:
        if not name:
            raise Failed("/save needs a file name.")
        file = Path(name).expanduser()
        text = "\n\n".join(f"**{one['role']}**\n\n{one['content']}" for one in self._history)
        try:
            file.write_text(text + "\n", "utf-8")
        except OSError as error:
            raise Failed(f"{file} cannot be written ({error.strerror}).") from None
        self._tell(f"wrote {file}")

    def _tell(self, text: str) -> None:
        if text and self._console.is_terminal:
            self._console.print(text, style="dim", markup=False, highlight=False)
        elif text:
            Console(stderr=True).print(text, markup=False, highlight=False)


def prompted(console: Console, stdin: TextIO) -> Iterable[str]:
    """Give the lines that are typed, or those that are piped in."""
    if not stdin.isatty():
        yield from stdin
        return
    while True:
        try:
            yield console.input("[bold]> [/bold]")
        except (EOFError, KeyboardInterrupt):
            return

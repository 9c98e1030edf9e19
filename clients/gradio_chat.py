"""A chat in the browser: `python -m clients.gradio_chat --url http://127.0.0.1:8000/v1`."""

import asyncio
import ipaddress
import math
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any, Final

import gradio as gr
import typer
import uvicorn
from fastapi import FastAPI

from clients.conversation import Answer, Failed, Settings, ask, client, models
from clients.shown import Shown, as_said, history, note, said_by_user, shown, until, waiting

TITLE: Final = "neuron-gateway chat"
LONGEST: Final = 200_000  # characters of one message
REDRAW_SECONDS: Final = 0.06  # between two looks at a growing answer; the first is at once
AT_ONCE: Final = 1000  # answers; by default the 41st would wait for one of the others to end
ATTEMPTS: Final = 3  # of a question that the gateway is too busy for
LATEX: Final[list[dict[str, str | bool]]] = [
    {"left": "$$", "right": "$$", "display": True},
    {"left": "\\[", "right": "\\]", "display": True},
    {"left": "\\(", "right": "\\)", "display": False},
]
CSS: Final = """
.gradio-container { max-width: 900px !important; width: 100% !important;
  margin: auto !important; }
footer { display: none !important; }
@media (max-width: 640px) { .gradio-container { padding: 4px !important; } }
"""
BUSY: Final = gr.Textbox(submit_btn=False, stop_btn=True)
EMPTY: Final = gr.Textbox(value="", submit_btn=False, stop_btn=True)
FREE: Final = gr.Textbox(submit_btn=True, stop_btn=False)


class Page:
    """The chat of one gateway; what people say is kept in their browsers alone."""

    def __init__(self, url: str, key: str) -> None:
        self._server = client(url, key)
        self._url = url

    def blocks(self) -> gr.Blocks:
        """Lay the page out and wire it."""
        page: gr.Blocks = gr.Blocks(title=TITLE, analytics_enabled=False, fill_height=True)
        with page:
            kept = gr.BrowserState([], storage_key="neuron-gateway-chat")
            with gr.Row(equal_height=True):
                model = gr.Dropdown(label="Model", choices=[], elem_id="model", scale=3)
                new = gr.Button("New conversation", elem_id="new", scale=1)
            chat = self._chatbot()
            box = gr.Textbox(
                placeholder="Ask something. Shift+Enter begins a line.", show_label=False,
                container=False, autofocus=True, max_lines=8, submit_btn=True, elem_id="message",
            )  # fmt: skip
            settings = [model, *self._settings()]
            self._wire(page, chat, box, new, kept, settings)
        return page

    def _chatbot(self) -> gr.Chatbot:
        return gr.Chatbot(
            elem_id="chat", show_label=False, scale=1, min_height=260, height=None,
            editable="user", buttons=["copy", "copy_all"], latex_delimiters=LATEX,
            group_consecutive_messages=False, allow_tags=False,
            placeholder="Nothing was said yet.",
        )  # fmt: skip

    def _settings(self) -> list[Any]:
        with gr.Accordion("Settings", open=False, elem_id="settings"):
            system = gr.Textbox(label="System prompt", lines=2, elem_id="system")
            with gr.Row():
                temperature = gr.Slider(0, 2, value=0.7, step=0.1, label="Temperature")
                top_p = gr.Slider(0.05, 1, value=1, step=0.05, label="top_p")
                limit = gr.Number(value=None, label="Most tokens of an answer", precision=0)
        key = gr.Textbox(
            label="API key (stays in this page)", type="password", visible=False, elem_id="key"
        )
        return [system, temperature, top_p, limit, key]

    def _wire(
        self,
        page: gr.Blocks,
        chat: gr.Chatbot,
        box: gr.Textbox,
        new: gr.Button,
        kept: gr.BrowserState,
        settings: list[Any],
    ) -> None:
        model, key = settings[0], settings[-1]
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        looks = ([model, key], [model, key])
        page.load(lambda said: said, kept, chat, **quiet)
        page.load(self.look, *looks, **quiet)
        key.submit(self.look, *looks, **quiet)
        model.focus(self.look, *looks, **quiet)
        answer: dict[str, Any] = {
            "fn": self.answer, "inputs": [chat, *settings], "outputs": [chat, box],
            "concurrency_limit": None, **quiet,
        }  # fmt: skip
        keep: dict[str, Any] = {"fn": lambda said: said, "inputs": chat, "outputs": kept, **quiet}
        asked = box.submit(self.say, [box, chat], [box, chat], **quiet)
        again = chat.retry(self.again, chat, chat, **quiet)
        edited = chat.edit(self.edited, chat, chat, **quiet)
        running = [event.success(**answer) for event in (asked, again, edited)]
        for event in running:
            event.then(**keep)
        stopped = box.stop(None, cancels=running, **quiet)
        stopped.then(lambda: FREE, None, box, **quiet).then(**keep)
        left = new.click(None, cancels=running, **quiet)
        left.then(lambda: ([], FREE), None, [chat, box], **quiet).then(**keep)

    async def look(self, chosen: str | None, key: str) -> tuple[Any, Any]:
        """Ask which models there are, and whether a key is wanted."""
        try:
            known = await models(self._asked_with(key))
        except Failed as error:
            gr.Warning(str(error))
            return gr.skip(), gr.Textbox(visible=error.is_about_the_key or bool(key))
        value = chosen if chosen in known else (known[0] if known else None)
        return gr.Dropdown(choices=known, value=value), gr.skip()

    def say(self, text: str, messages: Shown) -> tuple[Any, Any]:
        """Take a message into the conversation; raises gr.Error, which stops there."""
        if not text.strip():
            raise _refused("There is nothing to send: write something first.")
        if len(text) > LONGEST:
            size = f"{len(text):,} characters; {LONGEST:,} are the most"
            raise _refused(f"The message has {size}. Shorten it.")
        return EMPTY, [*messages, said_by_user(text)]

    def again(self, messages: Shown, event: gr.RetryData) -> Shown:
        """Go back to the question of an answer."""
        return until(messages, _place(event.index))

    def edited(self, messages: Shown, event: gr.EditData) -> Shown:
        """Go back to a question, with its new words."""
        return [*messages[: _place(event.index)], said_by_user(as_said(str(event.value)))]

    async def answer(
        self,
        messages: Shown,
        model: str | None,
        system: str,
        temperature: float,
        top_p: float,
        limit: float | None,
        key: str,
    ) -> AsyncGenerator[tuple[Any, Any], None]:
        """Show the answer as it grows; what goes wrong is said below what was said."""
        if not model:
            yield (
                [*messages, note(f"No model is known: is the gateway at {self._url} running?")],
                FREE,
            )
            return
        settings = Settings(
            model=model, system=system or "", temperature=temperature, top_p=top_p,
            max_tokens=int(limit) if limit else None,
        )  # fmt: skip
        button: Any = BUSY  # said once: Gradio works long on a component that changes
        async for said in self._attempts(settings, messages, key):
            yield [*messages, *said], button
            button = gr.skip()
        yield gr.skip(), FREE

    async def _attempts(
        self, settings: Settings, messages: Shown, key: str
    ) -> AsyncGenerator[Shown, None]:
        """Ask, and ask again where the gateway is busy and said for how long."""
        for attempt in range(1, ATTEMPTS + 1):
            said: Shown = []
            try:
                async with aclosing(self._growing(settings, messages, key)) as growing:
                    async for said in growing:
                        yield said
                break
            except Failed as error:
                if said or error.wait is None or attempt == ATTEMPTS:
                    yield [*said, note(str(error))]
                    return
                for left in range(math.ceil(error.wait), 0, -1):
                    yield [note(f"{error} Asking again in {left} s.")]
                    await asyncio.sleep(1)

    async def _growing(
        self, settings: Settings, messages: Shown, key: str
    ) -> AsyncGenerator[Shown, None]:
        answer, drawn = Answer(), 0.0
        yield [waiting()]
        try:
            async with aclosing(ask(self._asked_with(key), settings, history(messages))) as asked:
                async for answer in asked:
                    now = time.monotonic()
                    if answer.first is not None and now - drawn >= REDRAW_SECONDS:
                        drawn = now
                        yield list(shown(answer))
        except Failed:
            yield list(shown(answer))
            raise
        yield list(shown(answer))

    def _asked_with(self, key: str) -> Any:
        return self._server.with_options(api_key=key) if key else self._server


def _refused(sentence: str) -> gr.Error:
    return gr.Error(sentence, print_exception=False)


def _place(index: Any) -> int:
    return int(index[0] if isinstance(index, list | tuple) else index)


def create_app(url: str, key: str) -> FastAPI:
    """Make the web app: the page at /, and /healthz."""
    app = FastAPI(openapi_url=None)

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    # The system's own fonts: nothing is fetched from elsewhere.
    fonts, mono = ["system-ui", "sans-serif"], ["ui-monospace", "monospace"]
    theme = gr.themes.Soft(primary_hue="emerald", font=fonts, font_mono=mono)
    page = Page(url, key).blocks()
    page.max_threads = AT_ONCE
    blocks = page.queue(default_concurrency_limit=None)
    gr.mount_gradio_app(app, blocks, "", theme=theme, css=CSS, footer_links=[], show_error=False)
    return app


def main(
    url: Annotated[
        str, typer.Option(envvar="OPENAI_BASE_URL", help="The gateway's base URL.")
    ] = "http://127.0.0.1:8000/v1",
    key: Annotated[
        str, typer.Option(envvar="OPENAI_API_KEY", help="Asks for everyone who opens the page.")
    ] = "",
    host: Annotated[str, typer.Option(envvar="CHAT_HOST")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="CHAT_PORT", min=1, max=65535)] = 7860,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Let others than this machine ask with the key.")
    ] = False,
) -> None:
    """Chat with an OpenAI-compatible gateway in the browser."""
    if key and not insecure and not _is_loopback(host):
        typer.echo(
            f"--host: {host} can be reached from other machines, which would ask with your key. "
            "Leave --key out, so that each gives one, or say --insecure.",
            err=True,
        )
        raise typer.Exit(2)
    typer.echo(f"chat on http://{host}:{port} with {url}; Ctrl-C ends it", err=True)
    uvicorn.run(create_app(url, key), host=host, port=port, log_level="warning")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


if __name__ == "__main__":
    typer.run(main)

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
from openai import AsyncOpenAI

from clients.conversation import (
    Answer,
    ChatError,
    Settings,
    list_models,
    make_client,
    stream_answer,
)
from clients.rendering import (
    Messages,
    answer_messages,
    history,
    history_up_to,
    note,
    unescape,
    user_message,
    waiting_note,
)

TITLE: Final = "neuron-gateway chat"
MAX_MESSAGE_CHARACTERS: Final = 200_000
REFRESH_SECONDS: Final = 0.06  # between two updates of a streamed answer; the first is immediate
MAX_CONCURRENT_ANSWERS: Final = 1000  # Gradio's default is 40 threads
ATTEMPTS: Final = 3  # per question, while the gateway is busy
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
STREAMING: Final = gr.Textbox(submit_btn=False, stop_btn=True)
SUBMITTED: Final = gr.Textbox(value="", submit_btn=False, stop_btn=True)
IDLE: Final = gr.Textbox(submit_btn=True, stop_btn=False)


class Page:
    """The chat page of one gateway; conversations are kept in the visitors' browsers only."""

    def __init__(self, url: str, key: str) -> None:
        self._client = make_client(url, key)
        self._url = url

    def blocks(self) -> gr.Blocks:
        """Build the layout and its event handlers."""
        page: gr.Blocks = gr.Blocks(title=TITLE, analytics_enabled=False, fill_height=True)
        with page:
            saved = gr.BrowserState([], storage_key="neuron-gateway-chat")
            with gr.Row(equal_height=True):
                model = gr.Dropdown(label="Model", choices=[], elem_id="model", scale=3)
                new = gr.Button("New conversation", elem_id="new", scale=1)
            chat = self._chatbot()
            box = gr.Textbox(
                placeholder="Ask something. Shift+Enter begins a line.", show_label=False,
                container=False, autofocus=True, max_lines=8, submit_btn=True, elem_id="message",
            )  # fmt: skip
            settings = [model, *self._settings()]
            self._add_handlers(page, chat, box, new, saved, settings)
        return page

    def _chatbot(self) -> gr.Chatbot:
        return gr.Chatbot(
            elem_id="chat", show_label=False, scale=1, min_height=260, height=None,
            editable="user", buttons=["copy", "copy_all"], latex_delimiters=LATEX,
            group_consecutive_messages=False, allow_tags=False, placeholder="No messages yet.",
        )  # fmt: skip

    def _settings(self) -> list[Any]:
        with gr.Accordion("Settings", open=False, elem_id="settings"):
            system = gr.Textbox(label="System prompt", lines=2, elem_id="system")
            with gr.Row():
                temperature = gr.Slider(0, 2, value=0.7, step=0.1, label="Temperature")
                top_p = gr.Slider(0.05, 1, value=1, step=0.05, label="top_p")
                max_tokens = gr.Number(value=None, label="Max tokens", precision=0)
        key = gr.Textbox(
            label="API key (stays in this page)", type="password", visible=False, elem_id="key"
        )
        return [system, temperature, top_p, max_tokens, key]

    def _add_handlers(
        self,
        page: gr.Blocks,
        chat: gr.Chatbot,
        box: gr.Textbox,
        new: gr.Button,
        saved: gr.BrowserState,
        settings: list[Any],
    ) -> None:
        model, key = settings[0], settings[-1]
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        refresh = (self.refresh_models, [model, key], [model, key])
        page.load(lambda messages: messages, saved, chat, **quiet)
        page.load(*refresh, **quiet)
        key.submit(*refresh, **quiet)
        model.focus(*refresh, **quiet)
        answer: dict[str, Any] = {
            "fn": self.answer, "inputs": [chat, *settings], "outputs": [chat, box],
            "concurrency_limit": None, **quiet,
        }  # fmt: skip
        save: dict[str, Any] = {
            "fn": lambda messages: messages, "inputs": chat, "outputs": saved, **quiet,
        }  # fmt: skip
        submitted = box.submit(self.submit, [box, chat], [box, chat], **quiet)
        retried = chat.retry(self.retry, chat, chat, **quiet)
        edited = chat.edit(self.edit, chat, chat, **quiet)
        running = [event.success(**answer) for event in (submitted, retried, edited)]
        for event in running:
            event.then(**save)
        stopped = box.stop(None, cancels=running, **quiet)
        stopped.then(lambda: IDLE, None, box, **quiet).then(**save)
        cleared = new.click(None, cancels=running, **quiet)
        cleared.then(lambda: ([], IDLE), None, [chat, box], **quiet).then(**save)

    async def refresh_models(self, selected: str | None, key: str) -> tuple[Any, Any]:
        """Return the model list; show the field for an API key if the gateway requires one."""
        try:
            models = await list_models(self._client_with(key))
        except ChatError as error:
            gr.Warning(str(error))
            return gr.skip(), gr.Textbox(visible=error.needs_key or bool(key))
        value = selected if selected in models else next(iter(models), None)
        return gr.Dropdown(choices=models, value=value), gr.skip()

    def submit(self, text: str, messages: Messages) -> tuple[Any, Any]:
        """Add a message to the conversation. Raises gr.Error, and the message is not sent."""
        if not text.strip():
            raise gr.Error("The message is empty.", print_exception=False)
        if len(text) > MAX_MESSAGE_CHARACTERS:
            raise gr.Error(
                f"The message has {len(text):,} characters, more than the "
                f"{MAX_MESSAGE_CHARACTERS:,} allowed. Shorten it.",
                print_exception=False,
            )
        return SUBMITTED, [*messages, user_message(text)]

    def retry(self, messages: Messages, event: gr.RetryData) -> Messages:
        """Return the conversation up to the question of an answer."""
        return history_up_to(messages, _index(event.index))

    def edit(self, messages: Messages, event: gr.EditData) -> Messages:
        """Return the conversation up to a question, with the edited text."""
        return [*messages[: _index(event.index)], user_message(unescape(str(event.value)))]

    async def answer(
        self,
        messages: Messages,
        model: str | None,
        system: str,
        temperature: float,
        top_p: float,
        max_tokens: float | None,
        key: str,
    ) -> AsyncGenerator[tuple[Any, Any], None]:
        """Stream the answer into the conversation; an error becomes a note below it."""
        if not model:
            missing = note(f"No model is available: is the gateway at {self._url} running?")
            yield [*messages, missing], IDLE
            return
        settings = Settings(
            model=model, system=system or "", temperature=temperature, top_p=top_p,
            max_tokens=int(max_tokens) if max_tokens else None,
        )  # fmt: skip
        button: Any = STREAMING  # sent once: an update of a component is slow in Gradio
        async for added in self._answer_with_retries(settings, messages, key):
            yield [*messages, *added], button
            button = gr.skip()
        yield gr.skip(), IDLE

    async def _answer_with_retries(
        self, settings: Settings, messages: Messages, key: str
    ) -> AsyncGenerator[Messages, None]:
        """Stream an answer; while the gateway is busy, retry after the time that it asks for."""
        for attempt in range(1, ATTEMPTS + 1):
            added: Messages = []
            try:
                async with aclosing(self._stream(settings, messages, key)) as updates:
                    async for added in updates:
                        yield added
                break
            except ChatError as error:
                if added or error.retry_after_seconds is None or attempt == ATTEMPTS:
                    yield [*added, note(str(error))]
                    return
                for seconds in range(math.ceil(error.retry_after_seconds), 0, -1):
                    yield [note(f"{error} Retrying in {seconds} s.")]
                    await asyncio.sleep(1)

    async def _stream(
        self, settings: Settings, messages: Messages, key: str
    ) -> AsyncGenerator[Messages, None]:
        answer, refreshed_at = Answer(), 0.0
        yield [waiting_note()]
        client = self._client_with(key)
        try:
            async with aclosing(stream_answer(client, settings, history(messages))) as answers:
                async for answer in answers:
                    now = time.monotonic()
                    if answer.ttft_seconds is not None and now - refreshed_at >= REFRESH_SECONDS:
                        refreshed_at = now
                        yield list(answer_messages(answer))
        except ChatError:
            yield list(answer_messages(answer))
            raise
        yield list(answer_messages(answer))

    def _client_with(self, key: str) -> AsyncOpenAI:
        return self._client.with_options(api_key=key) if key else self._client


def _index(index: Any) -> int:
    return int(index[0] if isinstance(index, list | tuple) else index)


def create_app(url: str, key: str) -> FastAPI:
    """Build the web app: the page at /, and /healthz."""
    app = FastAPI(openapi_url=None)

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    # System fonts, so that the page loads nothing from other hosts.
    fonts, mono = ["system-ui", "sans-serif"], ["ui-monospace", "monospace"]
    theme = gr.themes.Soft(primary_hue="emerald", font=fonts, font_mono=mono)
    page = Page(url, key).blocks()
    page.max_threads = MAX_CONCURRENT_ANSWERS
    blocks = page.queue(default_concurrency_limit=None)
    gr.mount_gradio_app(app, blocks, "", theme=theme, css=CSS, footer_links=[], show_error=False)
    return app


def main(
    url: Annotated[
        str, typer.Option(envvar="OPENAI_BASE_URL", help="Base URL of the gateway's API.")
    ] = "http://127.0.0.1:8000/v1",
    key: Annotated[
        str,
        typer.Option(
            envvar="OPENAI_API_KEY",
            help="API key for every visitor. Default: each visitor enters one.",
        ),
    ] = "",
    host: Annotated[str, typer.Option(envvar="CHAT_HOST", help="Address to listen on.")] = (
        "127.0.0.1"
    ),
    port: Annotated[
        int, typer.Option(envvar="CHAT_PORT", min=1, max=65535, help="Port to listen on.")
    ] = 7860,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Allow visitors from other machines to use --key.")
    ] = False,
) -> None:
    """Serve a chat page for an OpenAI-compatible gateway."""
    if key and not insecure and not _is_loopback(host):
        typer.echo(
            f"--host: {host} can be reached from other machines, whose visitors would use your "
            "key. Omit --key, so that each enters a key, or add --insecure.",
            err=True,
        )
        raise typer.Exit(2)
    typer.echo(f"chat on http://{host}:{port} with {url}; Ctrl-C stops it", err=True)
    uvicorn.run(create_app(url, key), host=host, port=port, log_level="warning")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


if __name__ == "__main__":
    typer.run(main)

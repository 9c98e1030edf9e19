"""From the gateway's first token to the eye: a browser on the web chat, a relay behind it.

The relay passes everything on and notes when the first text of an answer went by; the page notes
when a picture with it was painted. Both read the same clock, that of this machine.
"""

import asyncio
import contextlib
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from benchmarks.commands import free_port
from benchmarks.processes import ServerFailed

FIRST_TEXT: Final = re.compile(rb'"content":"[^"]')
# Notes, after the next picture, when the last bubble of the assistant first had a letter.
WATCH: Final = """() => {
  window.seen = null;
  const words = () => [...document.querySelectorAll('#chat .bot.message')].slice(-1)
    .some(one => /[a-z]/i.test(one.innerText.replace('Waiting for the first token', '')));
  const look = () => {
    if (window.seen === null && words())
      requestAnimationFrame(() => { window.seen ??= performance.timeOrigin + performance.now(); });
  };
  window.watcher?.disconnect();
  window.watcher = new MutationObserver(look);
  window.watcher.observe(document.querySelector('#chat'),
    {childList: true, subtree: true, characterData: true});
}"""


class Relay:
    """A TCP relay before a server; `sent` is when the first text of the last answer passed."""

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self._upstream = parts.hostname or "127.0.0.1", parts.port or 80
        self.sent = 0.0
        self.url = ""

    @contextlib.contextmanager
    def running(self) -> Iterator[str]:
        """Relay in a thread; gives the URL."""
        up, loop = threading.Event(), asyncio.new_event_loop()
        thread = threading.Thread(target=lambda: loop.run_until_complete(self._serve(up)))
        thread.start()
        up.wait(10)
        try:
            yield self.url
        finally:
            loop.call_soon_threadsafe(self._end.set)
            thread.join()

    async def _serve(self, up: threading.Event) -> None:
        self._end = asyncio.Event()
        server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        up.set()
        await self._end.wait()
        server.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_connection(*self._upstream)
        try:
            await asyncio.gather(self._pass(reader, outer, note=False), self._pass(inner, writer))
        except ConnectionError:
            return
        finally:
            outer.close()
            writer.close()

    async def _pass(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, note: bool = True
    ) -> None:
        while data := await source.read(65536):
            if note and not self.sent and FIRST_TEXT.search(data):
                self.sent = time.time()
            sink.write(data)
            await sink.drain()
        sink.close()


def delays(relay: Relay, page: Any, runs: int) -> Iterator[float]:
    """Ask on the page, so many times; give the seconds from the first text sent to it seen."""
    box = page.locator("#message textarea")
    for _ in range(runs):
        page.locator("#new").click()
        page.locator("#chat .bot.message").first.wait_for(state="detached")
        page.locator("#message button.submit-button").wait_for()
        page.evaluate(WATCH)
        relay.sent = 0.0
        box.fill("Tell me about rivers.")
        box.press("Enter")
        page.wait_for_function("window.seen !== null", timeout=30_000)
        yield page.evaluate("window.seen") / 1000 - relay.sent
        page.locator("#message button.submit-button").wait_for(timeout=60_000)


@contextlib.contextmanager
def web_chat(url: str) -> Iterator[str]:
    """Run the web chat of a gateway; gives the address of its page."""
    port = free_port()
    command = [sys.executable, "-m", "clients.gradio_chat", "--url", f"{url}/v1"]
    with subprocess.Popen([*command, "--port", str(port)], stderr=subprocess.DEVNULL) as process:
        page = f"http://127.0.0.1:{port}"
        try:
            while not _answers(f"{page}/healthz"):
                if process.poll() is not None:
                    raise ServerFailed("The web chat ended before it was ready.")
                time.sleep(0.1)
            yield page
        finally:
            process.terminate()


def _answers(url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(url, timeout=5).status_code == 200
    return False


@contextlib.contextmanager
def opened(address: str, chromium: str) -> Iterator[Any]:
    """Open a page in a headless Chromium, and wait until it knows a model."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(address)
        page.wait_for_function("document.querySelector('#model input')?.value")
        yield page
        browser.close()

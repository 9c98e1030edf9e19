"""Time from the gateway's first token to its paint, in a browser on the web chat.

A TCP relay between gateway and web chat records when the first text of an answer passes; a script
in the page records when a frame with it was painted. Both use the clock of this machine.
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

from benchmarks.comparison.processes import ServerFailed
from benchmarks.comparison.server_commands import free_port

FIRST_TEXT: Final = re.compile(rb'"content":"[^"]')
# Records in window.painted when the first letter of the assistant's last message was painted.
WATCH_SCRIPT: Final = """() => {
  window.painted = null;
  const hasText = () => [...document.querySelectorAll('#chat .bot.message')].slice(-1)
    .some(one => /[a-z]/i.test(one.innerText.replace('Waiting for the first token', '')));
  const check = () => {
    if (window.painted === null && hasText())
      requestAnimationFrame(() => {
        window.painted ??= performance.timeOrigin + performance.now();
      });
  };
  window.watcher?.disconnect();
  window.watcher = new MutationObserver(check);
  window.watcher.observe(document.querySelector('#chat'),
    {childList: true, subtree: true, characterData: true});
}"""


class Relay:
    """A TCP relay to a server; `sent_at` is when the first text of the last answer passed."""

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self._upstream = parts.hostname or "127.0.0.1", parts.port or 80
        self.sent_at = 0.0
        self.url = ""

    @contextlib.contextmanager
    def running(self) -> Iterator[str]:
        """Relay in a thread; yield the URL of the relay."""
        ready, loop = threading.Event(), asyncio.new_event_loop()
        thread = threading.Thread(target=lambda: loop.run_until_complete(self._serve(ready)))
        thread.start()
        ready.wait(10)
        try:
            yield self.url
        finally:
            loop.call_soon_threadsafe(self._end.set)
            thread.join()

    async def _serve(self, ready: threading.Event) -> None:
        self._end = asyncio.Event()
        server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ready.set()
        await self._end.wait()
        server.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_connection(*self._upstream)
        try:
            await asyncio.gather(self._pass(reader, outer, record=False), self._pass(inner, writer))
        except ConnectionError:
            return
        finally:
            outer.close()
            writer.close()

    async def _pass(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, record: bool = True
    ) -> None:
        while data := await source.read(65536):
            if record and not self.sent_at and FIRST_TEXT.search(data):
                self.sent_at = time.time()
            sink.write(data)
            await sink.drain()
        sink.close()


def paint_delays(relay: Relay, page: Any, runs: int) -> Iterator[float]:
    """Ask on the page `runs` times; yield the seconds from the first text sent to its paint."""
    box = page.locator("#message textarea")
    for _ in range(runs):
        page.locator("#new").click()
        page.locator("#chat .bot.message").first.wait_for(state="detached")
        page.locator("#message button.submit-button").wait_for()
        page.evaluate(WATCH_SCRIPT)
        relay.sent_at = 0.0
        box.fill("Tell me about rivers.")
        box.press("Enter")
        page.wait_for_function("window.painted !== null", timeout=30_000)
        yield page.evaluate("window.painted") / 1000 - relay.sent_at
        page.locator("#message button.submit-button").wait_for(timeout=60_000)


@contextlib.contextmanager
def web_chat(url: str) -> Iterator[str]:
    """Run the web chat of a gateway; yield the URL of its page."""
    port = free_port()
    command = [sys.executable, "-m", "clients.gradio_chat", "--url", f"{url}/v1"]
    with subprocess.Popen([*command, "--port", str(port)], stderr=subprocess.DEVNULL) as process:
        page = f"http://127.0.0.1:{port}"
        try:
            while not _responds(f"{page}/healthz"):
                if process.poll() is not None:
                    raise ServerFailed("The web chat ended before it was ready.")
                time.sleep(0.1)
            yield page
        finally:
            process.terminate()


def _responds(url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(url, timeout=5).status_code == 200
    return False


@contextlib.contextmanager
def open_page(address: str, chromium: str) -> Iterator[Any]:
    """Open a page in a headless Chromium; yield it when it lists a model."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(address)
        page.wait_for_function("document.querySelector('#model input')?.value")
        yield page
        browser.close()

"""The web chat in a headless Chromium; its server runs as a process."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.serving import ROOT, free_port, until
from tests.tools import require_tool

SHOTS = ROOT / "build" / "screenshots"


@contextlib.contextmanager
def web_chat(url: str, *options: str) -> Iterator[str]:
    """Run the web chat of a gateway; yield the URL of its page."""
    port = free_port()
    command = [sys.executable, "-m", "clients.gradio_chat", "--url", f"{url}/v1"]
    command += ["--port", str(port), *options]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        page = f"http://127.0.0.1:{port}"
        until(lambda: _answers(f"{page}/healthz"), 30)
        try:
            yield page
        finally:
            process.terminate()


def _answers(url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(url, timeout=5).status_code == 200
    return False


class Chat:
    """The page, by what it shows."""

    def __init__(self, page: Any, address: str, *, knows_models: bool = True) -> None:
        self.page = page
        page.goto(address)
        self.box = page.locator("#message textarea")
        self.box.wait_for()
        if knows_models:
            until(lambda: page.locator("#model input").input_value(), 15)

    def type(self, text: str) -> None:
        self.box.fill(text)

    def send(self, text: str) -> None:
        self.type(text)
        self.box.press("Enter")

    @property
    def answers(self) -> list[str]:
        """Return the texts of the assistant's messages, notes included."""
        return [one.strip() for one in self.page.locator("#chat .bot.message").all_inner_texts()]

    @property
    def everything(self) -> str:
        """Return the text of the whole conversation."""
        return str(self.page.locator("#chat").inner_text())

    def sees(self, text: str, seconds: float = 10) -> None:
        """Wait until the conversation contains a text."""
        until(lambda: text in self.everything, seconds)

    def is_free(self, seconds: float = 15) -> None:
        """Wait until a message can be sent."""
        self.page.locator("#message button.submit-button").wait_for(timeout=1000 * seconds)

    def stop(self) -> None:
        self.page.locator("#message button.stop-button").click()

    def shot(self, name: str) -> Path:
        """Save a screenshot of the page."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        file = SHOTS / f"{name}.png"
        self.page.screenshot(path=str(file))
        return file


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """Start the browser; each of its contexts is a separate visitor."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=require_tool("chromium", "chromium-browser"),
            args=["--no-sandbox", "--disable-dev-shm-usage"],
        )
        try:
            yield browser
        finally:
            browser.close()

"""`neuron-gateway chat`, piped and in a pseudo-terminal."""

import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gateway.keys.store import new_key
from tests.conftest import running, simulated
from tests.serving import until

DEVICE = {
    "time_scale": 1, "decode_base_ms": 20, "decode_ms_per_slot": 0, "prefill_base_ms": 0,
    "prefill_ms_per_token": 0,
    # An endless reply stalls here, so that it cannot end before it is stopped.
    "faults": {"stall_at_token": 100},
    "scripts": [
        {"when": "river", "reply": "A river is water that goes somewhere."},
        {"when": "endless", "reply": "word " * 200},
    ],
}  # fmt: skip
CHAT = [sys.executable, "-m", "gateway", "chat"]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running(simulated(DEVICE)) as url:
        yield url


def piped(url: str, text: str, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [*CHAT, "--url", f"{url}/v1", *options]
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=20)


def test_a_piped_message_is_answered_in_plain_text(url: str) -> None:
    done = piped(url, "What is a river?\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "A river is water that goes somewhere.\n"


def test_a_message_on_the_command_line_is_answered_and_the_command_ends(url: str) -> None:
    command = [*CHAT, "--url", f"{url}/v1", "a river?"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert done.stdout == "A river is water that goes somewhere.\n"


def test_a_conversation_is_saved_with_both_sides(url: str, tmp_path: Path) -> None:
    file = tmp_path / "chat.md"
    assert piped(url, f"a river?\n/save {file}\n").returncode == 0
    assert "**user**\n\na river?" in file.read_text()
    assert "**assistant**\n\nA river is water" in file.read_text()


def test_an_incomplete_answer_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "chat.md"
    with running(simulated({"faults": {"fail_at_token": 3}})) as url:
        done = piped(url, f"a river?\n/save {file}\n")
    assert "failed" in done.stderr
    (kept,) = re.findall(r"\*\*assistant\*\*\n\n(.+)", file.read_text())
    assert done.stdout.startswith(kept)


def test_models_are_listed_and_an_unknown_one_is_rejected(url: str) -> None:
    done = piped(url, "/model\n/model nobody\n")
    assert done.returncode == 1
    assert done.stderr == "sim\nnobody is not served here. Models: sim.\n"


def test_an_unreachable_gateway_is_reported_in_a_sentence() -> None:
    done = piped("http://127.0.0.1:9", "Hello\n")
    assert done.returncode == 2
    assert "cannot be reached. Is the gateway running?" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_key_without_any_model_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    key = new_key(file, "alice", models=("another",))
    with running(simulated(keys_file=str(file))) as url:
        done = subprocess.run(
            [*CHAT, "--url", f"{url}/v1", "Hello"], capture_output=True, text=True, timeout=20,
            env=os.environ | {"OPENAI_API_KEY": key},
        )  # fmt: skip
    assert done.returncode == 2
    assert "serves no model that this API key may use" in done.stderr


class Terminal:
    """The chat in a pseudo-terminal."""

    def __init__(self, url: str) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [*CHAT, "--url", f"{url}/v1"], stdin=slave, stdout=slave, stderr=slave,
            start_new_session=True, env=os.environ | {"TERM": "xterm", "COLUMNS": "80"},
        )  # fmt: skip
        os.close(slave)
        os.set_blocking(self._master, False)
        self.text = ""

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def wait_for(self, text: str) -> None:
        """Wait until the text is shown, after what was waited for before."""
        until(lambda: text in self._read(), 15)
        self.text = self.text.partition(text)[2]

    def _read(self) -> str:
        with contextlib.suppress(BlockingIOError):
            self.text += os.read(self._master, 65536).decode("utf-8", "replace")
        return self.text

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)


@pytest.fixture
def terminal(url: str) -> Iterator[Terminal]:
    terminal = Terminal(url)
    yield terminal
    terminal.close()


def test_ctrl_c_stops_an_answer_frees_its_slot_and_the_chat_goes_on(
    url: str, terminal: Terminal
) -> None:
    terminal.wait_for("> ")
    terminal.type("an endless one\n")
    terminal.wait_for("word word")
    terminal.process.send_signal(signal.SIGINT)
    terminal.wait_for("stopped")
    # The server learns of the closed connection a moment after the client closed it.
    until(lambda: running_requests(url) == 0, 5)
    terminal.type("a river?\n")
    terminal.wait_for("A river is water")
    terminal.wait_for("tokens/s")


def running_requests(url: str) -> int:
    (model,) = httpx.get(f"{url}/readyz").json()["models"].values()
    return int(model["running"])

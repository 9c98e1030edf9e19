"""`neuron-gateway chat`, piped and in a terminal of its own."""

import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gateway.keys.store import new_key
from tests.conftest import running, simulated
from tests.serving import until

SLOW = {"time_scale": 1, "decode_base_ms": 20, "decode_ms_per_slot": 0, "prefill_base_ms": 0,
        "prefill_ms_per_token": 0}  # fmt: skip
SCRIPTS = [
    {"when": "river", "reply": "A river is water that goes somewhere."},
    {"when": "long", "reply": "word " * 300},
]
CHAT = [sys.executable, "-m", "gateway", "chat"]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running(simulated(SLOW | {"scripts": SCRIPTS})) as url:
        yield url


def piped(url: str, typed: str, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [*CHAT, "--url", f"{url}/v1", *options]
    return subprocess.run(command, input=typed, capture_output=True, text=True, timeout=20)


def test_what_is_piped_in_is_answered_in_plain_text(url: str) -> None:
    done = piped(url, "What is a river?\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "A river is water that goes somewhere.\n"


def test_a_message_on_the_command_line_is_answered_and_that_is_all(url: str) -> None:
    command = [*CHAT, "--url", f"{url}/v1", "a river?"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert done.stdout == "A river is water that goes somewhere.\n"


def test_a_conversation_is_saved_with_both_sides(url: str, tmp_path: Path) -> None:
    file = tmp_path / "said.md"
    assert piped(url, f"a river?\n/save {file}\n").returncode == 0
    assert "**user**\n\na river?" in file.read_text()
    assert "**assistant**\n\nA river is water" in file.read_text()


def test_an_answer_that_breaks_off_is_kept_as_far_as_it_came(tmp_path: Path) -> None:
    file = tmp_path / "said.md"
    with running(simulated({"faults": {"fail_at_token": 3}})) as url:
        done = piped(url, f"a river?\n/save {file}\n")
    assert "failed" in done.stderr
    (said,) = re.findall(r"\*\*assistant\*\*\n\n(.+)", file.read_text())
    assert done.stdout.startswith(said)


def test_models_are_listed_and_an_unknown_one_is_refused(url: str) -> None:
    done = piped(url, "/model\n/model nobody\n")
    assert done.returncode == 1
    assert done.stderr == "sim\nnobody is no model here: sim.\n"


def test_a_gateway_that_is_not_there_is_told_in_a_sentence() -> None:
    done = piped("http://127.0.0.1:9", "Hello\n")
    assert done.returncode == 2
    assert "cannot be reached. Is it running?" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_key_that_may_use_no_model_is_told(tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    key = new_key(file, "alice", models=("another",))
    with running(simulated(keys_file=str(file))) as url:
        done = subprocess.run(
            [*CHAT, "--url", f"{url}/v1", "Hello"], capture_output=True, text=True, timeout=20,
            env=os.environ | {"OPENAI_API_KEY": key},
        )  # fmt: skip
    assert done.returncode == 2
    assert "serves no model that this key may use" in done.stderr


class Terminal:
    """The chat behind a pseudo-terminal."""

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

    def sees(self, text: str) -> None:
        until(lambda: text in self._read(), 15)

    def _read(self) -> str:
        try:
            self.text += os.read(self._master, 65536).decode("utf-8", "replace")
        except BlockingIOError:
            time.sleep(0.02)
        return self.text

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)


@pytest.fixture
def terminal(url: str) -> Iterator[Terminal]:
    shown = Terminal(url)
    yield shown
    shown.close()


def test_ctrl_c_stops_an_answer_frees_its_slot_and_the_chat_goes_on(
    url: str, terminal: Terminal
) -> None:
    terminal.sees("> ")
    terminal.type("a long one\n")
    terminal.sees("word word")
    terminal.process.send_signal(signal.SIGINT)
    terminal.sees("stopped")
    (model,) = httpx.get(f"{url}/readyz").json()["models"].values()
    assert model["running"] == 0
    terminal.type("a river?\n")
    terminal.sees("A river is water")
    terminal.sees("tokens/s")

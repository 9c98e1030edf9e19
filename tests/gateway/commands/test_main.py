"""The command line from outside, without Ray."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.commands.main import app
from tests.conftest import sdk

ROOT = Path(__file__).parents[3]
SIMULATED = ROOT / "deploy" / "serve" / "simulated.yaml"
APPLICATION = """\
applications:
- name: gateway
  import_path: gateway.serving.ray_app:build_app
  args:
"""


def write(folder: Path, args: str) -> str:
    path = folder / "gateway.yaml"
    path.write_text(APPLICATION + "".join(f"    {line}\n" for line in args.splitlines()))
    return str(path)


def refused(*arguments: str) -> str:
    """Run the command, which must refuse; gives the sentence on stderr."""
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    return result.stderr


@pytest.mark.parametrize("command", ["serve", "check"])
def test_an_unknown_key_is_named(command: str, tmp_path: Path) -> None:
    path = write(tmp_path, "limits: {max_quued: 3}")
    assert "limits.max_quued is not a known key" in refused(command, path)


@pytest.mark.parametrize("command", ["serve", "check"])
def test_a_missing_file_is_named(command: str) -> None:
    assert "no-such.yaml: cannot be read" in refused(command, "no-such.yaml")


def test_a_port_in_use_is_refused_before_ray_starts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"127.0.0.1:{port}" in refused("serve", str(SIMULATED), "--port", port)


def test_check_describes_what_would_be_served() -> None:
    result = CliRunner().invoke(app, ["check", str(SIMULATED)])
    assert result.exit_code == 0
    assert "simulated-8b" in result.stdout
    assert "8 slots" in result.stdout


def test_version_prints_one_word_or_says_why_not() -> None:
    result = CliRunner().invoke(app, ["version"])
    assert re.match(r"\d+\.\d+|unknown", result.stdout)


def test_the_command_line_imports_neither_ray_nor_an_engine() -> None:
    code = "import gateway.commands.main, sys; print({'ray', 'vllm', 'torch', 'fastapi'} & set(sys.modules))"
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == "set()"


def test_without_ray_the_printed_url_answers_and_ctrl_c_ends_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-u", "-m", "gateway", "serve", str(SIMULATED)]
    with subprocess.Popen(
        [*command, "--without-ray", "--port", str(port)],
        cwd=ROOT,
        env=os.environ | {"NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith(f"http://127.0.0.1:{port}/v1 ")
            assert process.stdout.readline().startswith(f"curl -N http://127.0.0.1:{port}/v1/")
            assert answer(port) == "simulated-8b"
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(10) in (0, 130)


def answer(port: int) -> str:
    """Ask for the model's name as soon as the server listens."""
    deadline = time.monotonic() + 10
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                break
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    with sdk(f"http://127.0.0.1:{port}") as client:
        return client.models.list().data[0].id

"""The command line as a process, without Ray."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
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


def run_code(code: str, *folders: Path) -> "subprocess.CompletedProcess[str]":
    """Run Python code in the repository; `folders` are importable too."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, folders)), "NO_COLOR": "1"}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def error_of(*arguments: str) -> str:
    """Run a command that must fail with exit code 2; return its sentence on stderr."""
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    return result.stderr


@pytest.mark.parametrize("command", ["serve", "check"])
def test_an_unknown_key_is_named(command: str, tmp_path: Path) -> None:
    path = write(tmp_path, "limits: {max_quued: 3}")
    assert "limits.max_quued is not a known key" in error_of(command, path)


@pytest.mark.parametrize("command", ["serve", "check"])
def test_a_missing_file_is_named(command: str) -> None:
    assert "no-such.yaml: cannot be read" in error_of(command, "no-such.yaml")


def test_a_port_in_use_is_reported_before_ray_starts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"127.0.0.1:{port}" in error_of("serve", str(SIMULATED), "--port", port)


def test_check_describes_what_would_be_served() -> None:
    result = CliRunner().invoke(app, ["check", str(SIMULATED)])
    assert result.exit_code == 0
    assert "simulated-8b" in result.stdout
    assert "8 slots" in result.stdout


def test_check_needs_a_file_or_the_schema_option() -> None:
    assert error_of("check") == "check: give a config file, or --schema.\n"


def test_the_schema_is_json_on_standard_output() -> None:
    command = [sys.executable, "-m", "gateway", "check", "--schema"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        json_tool = [sys.executable, "-m", "json.tool"]
        done = subprocess.run(json_tool, stdin=process.stdout, capture_output=True, check=True)
    assert process.returncode == 0
    assert json.loads(done.stdout)["$defs"]["AppConfig"]["properties"]["models"]


def test_every_command_and_option_has_a_help_text() -> None:
    help_texts = {
        name: command.help and all(getattr(p, "help", None) for p in command.params)
        for name, command in commands()
    }
    assert len(help_texts) > 8
    assert [name for name, complete in help_texts.items() if not complete] == []


def commands() -> Iterator[tuple[str, Any]]:
    """Yield every command with its name, those of groups and of entry points too."""
    group: Any = typer.main.get_command(app)
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        inner = getattr(command, "commands", {})
        yield from inner.items() if inner else ((name, command),)


def test_version_prints_a_version_or_why_it_is_unknown() -> None:
    result = CliRunner().invoke(app, ["version"])
    assert re.match(r"\d+\.\d+|unknown", result.stdout)


def test_help_lists_chat_and_imports_neither_ray_nor_an_engine_nor_openai() -> None:
    done = run_code(
        "import sys\n"
        "from gateway.commands.main import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: print({'ray', 'vllm', 'torch', 'fastapi', 'openai', "
        "'engine.simulated.engine', 'engine.vllm.engine'} & set(sys.modules), file=sys.stderr)"
    )
    assert "Chat in the terminal" in done.stdout
    assert done.stderr == "set()\n"


def test_a_command_of_an_entry_point_is_imported_only_when_it_is_needed() -> None:
    done = run_code(
        "import sys\n"
        "from gateway.commands.main import app\n"
        "try: app(['version'])\n"
        "except SystemExit: print('clients' in sys.modules)"
    )
    assert done.stdout.splitlines()[-1] == "False"


def test_chat_without_its_extra_says_what_to_install() -> None:
    done = run_code(
        "import sys; sys.modules['openai'] = None\n"
        "from gateway.commands.main import app; app(['chat'])"
    )
    assert done.returncode == 2
    assert done.stderr == "chat needs the package openai. Install neuron-gateway[clients].\n"


def test_an_entry_point_that_cannot_be_imported_breaks_nothing_else(tmp_path: Path) -> None:
    package = tmp_path / "other-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[neuron_gateway.commands]\nother = missing:run\n")
    call = "from gateway.commands.main import app; app([{!r}])"
    assert "Chat in the terminal" in run_code(call.format("--help"), tmp_path).stdout
    done = run_code(call.format("other"), tmp_path)
    assert done.returncode == 2
    assert "other: missing:run cannot be imported (No module named 'missing')." in done.stderr


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

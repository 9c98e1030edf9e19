"""Comparisons from outside: a real server, one that dies, one that is not there."""

import importlib.util
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.__main__ import app
from benchmarks.load import raw
from benchmarks.processes import Command, ServerFailed, running
from benchmarks.report import Report
from benchmarks.scenarios import Scenario
from benchmarks.sides import Server, Side, server
from benchmarks.suite import compare as run
from benchmarks.workloads import Workload
from tests.serving import free_port

FRAMES = (
    b'data: {"role":1}\n\n' + b'data: {"text":1}\n\n' * 4 + b'data: {"stop":1}\n\ndata: [DONE]\n\n'
)
SMALL = Workload("small", 4, 10, 2, 6)


@pytest.fixture(autouse=True)
def own_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the servers' logs, whose names are fixed, apart from those of another run."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture
def bare(tmp_path: Path) -> Command:
    frames, port = tmp_path / "frames", free_port()
    frames.write_bytes(FRAMES)
    command = (sys.executable, "-m", "benchmarks.bare", str(frames), str(port))
    return Command("bare", command, f"http://127.0.0.1:{port}/v1", "any")


def command(program: str) -> Command:
    port = free_port()
    return Command("peer", (sys.executable, "-c", program), f"http://127.0.0.1:{port}/v1", "any")


def test_a_run_counts_every_frame_and_what_the_server_used(bare: Command) -> None:
    with server(bare) as side:
        timings, usage = side.run(raw, SMALL)
    assert timings.requests == 6
    assert timings.frames == 6 * (1 + 10 + 2)
    assert timings.tokens == 60
    assert usage.cpu >= 0
    assert usage.memory > 5


def test_a_server_that_ends_at_its_start_is_told_with_its_last_words() -> None:
    dead = command("import sys; sys.exit('no room for the model')")
    with pytest.raises(ServerFailed, match="peer ended with code 1 before it was ready"):
        running(dead).__enter__()
    with pytest.raises(ServerFailed, match="no room for the model"):
        running(dead).__enter__()


def test_a_server_that_dies_in_a_run_is_told(bare: Command) -> None:
    with running(bare) as process:
        os.kill(process.pid, 9)
        with pytest.raises(ServerFailed, match=r"bare (ended|failed)"):
            Server(process).run(raw, SMALL)


def test_a_program_that_is_not_there_is_told_with_the_fix() -> None:
    absent = Command("peer", ("/nowhere/python",), "http://127.0.0.1:1/v1", "any")
    with pytest.raises(ServerFailed, match=r"not installed .* `make peers`"):
        running(absent).__enter__()


@pytest.mark.skipif(
    importlib.util.find_spec("vllm") is None, reason="a report names vLLM's version: no extra `cpu`"
)
def test_a_report_has_every_run_in_json_and_medians_in_markdown(
    bare: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.suite.QUIET_SECONDS", 0)
    monkeypatch.setattr("benchmarks.suite.IDLE_SECONDS", 0.5)

    def sides(stack: object) -> Iterator[Side]:
        yield stack.enter_context(server(bare))  # type: ignore[attr-defined]

    scenario = Scenario("ceiling", "Title", "about", sides, raw, (SMALL,), 3)
    found = run(scenario, lambda _: None)
    data, text = Report((found,), "make bench", {"LiteLLM": "why"}, 1.0).write(tmp_path, "short")
    assert data.read_text("utf-8").count('"workload": "small"') == 3
    assert "| bare | " in text.read_text("utf-8")
    assert "Left out: LiteLLM: why" in text.read_text("utf-8")


@pytest.mark.parametrize(
    ("option", "says"), [("--without=nobody", "is no peer"), ("--only=nothing", "no scenario")]
)
def test_an_unknown_name_is_refused(option: str, says: str) -> None:
    done = CliRunner().invoke(app, ["compare", option])
    assert done.exit_code == 2
    assert says in done.output.replace("\n", " ")


def test_a_peer_that_is_not_installed_ends_it_before_anything_is_started(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        app, ["compare", f"--peers={tmp_path}", f"--results={tmp_path / 'out'}"]
    )
    assert done.exit_code == 1
    assert "vLLM's server is not installed" in done.output.replace("\n", " ")
    assert "Nothing was written" in done.output
    assert not (tmp_path / "out").exists()

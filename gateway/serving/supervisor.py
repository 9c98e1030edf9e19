"""Ends a Ray cluster with the process that started it: `python supervisor.py DRIVER SINCE < PIPE`.

After a SIGKILL of the driver Ray's agents stay for minutes, and with a dead raylet its workers.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

_TIME: Final = "%Y-%m-%d_%H-%M-%S"  # in a session's name, before microseconds
_POLL_SECONDS: Final = 0.2
_ROUNDS: Final = 50  # a process that waits for a device cannot be killed


def start() -> "subprocess.Popen[bytes]":
    """Start a supervisor of this process, which acts when its standard input is closed."""
    command = [sys.executable, "-IS", __file__, str(os.getpid()), time.strftime(_TIME)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)  # noqa: S603


def members(driver: int, since: str) -> Iterator[int]:
    """Yield the other processes that write to the logs of the driver's session.

    Ray names a session by its time and the driver's id, which other processes had before.
    """
    session = re.compile(rf"/session_([^/]+)_{driver}/")
    for file in Path("/proc").glob("[0-9]*/fd/*"):
        pid = int(file.parts[2])
        with suppress(OSError):  # it ended, or is another user's
            writes = pid != driver and file.lstat().st_mode & 0o200
            if writes and (found := session.search(str(file.readlink()))) and found[1] >= since:
                yield pid


def main(driver: int, since: str) -> None:
    """Wait until the driver has ended or stopped Ray, then kill what is left."""
    sys.stdin.read()
    for _ in range(_ROUNDS):
        for pid in (left := set(members(driver, since))):
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if not left:
            break
        time.sleep(_POLL_SECONDS)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])

"""Ends the HAProxy that a gateway which is gone left on a port, where it would answer for others.

HAProxy is killed with its manager, but for a moment after its start. Only what is clearly such a
process is ended: of this user, with a config that a gateway wrote, and with another parent than
Ray's manager.
"""

import os
import re
import select
import signal
from contextlib import suppress
from pathlib import Path
from typing import Final

from gateway.serving.host import FOLDER
from gateway.serving.ray_private import CONFIG_FILE, WORKER_TITLE

TERM_SECONDS: Final = 1.0
_CONFIG: Final = re.compile(rf"{FOLDER}[^/]+/{re.escape(CONFIG_FILE)}")
_LISTENS: Final = "0A"  # in /proc/net/tcp


def end_orphans(port: int) -> list[int]:
    """End the orphans that listen on a port; return their process ids."""
    pids = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
    return [pid for pid in pids if _end(pid, port)]


def _end(pid: int, port: int) -> bool:
    """Return whether a process was such an orphan; it has ended then."""
    with suppress(OSError):  # it ended meanwhile, or is another user's
        process = os.pidfd_open(pid)  # never another process of the same id
        try:
            return _is_orphan(Path(f"/proc/{pid}")) and _listens(pid, port) and _kill(process)
        finally:
            os.close(process)
    return False


def _kill(process: int) -> bool:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(process, number)
        if select.select([process], [], [], TERM_SECONDS)[0]:
            break
    return True


def _is_orphan(folder: Path) -> bool:
    arguments = _command(folder).split("\0")
    if Path(arguments[0]).name != "haproxy" or not any(map(_CONFIG.fullmatch, arguments)):
        return False
    parent, session = _parent_and_session(folder)
    foster = folder.with_name(parent)
    # A shell that started it by hand is in its session; who takes orphans over is in another.
    is_managed = _command(foster).startswith(WORKER_TITLE)
    return (
        folder.stat().st_uid == os.geteuid()
        and not is_managed
        and _parent_and_session(foster)[1] != session
    )


def _command(folder: Path) -> str:
    return (folder / "cmdline").read_bytes().decode(errors="replace")


def _parent_and_session(folder: Path) -> tuple[str, str]:
    fields = (folder / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    return fields[1], fields[3]


def _listens(pid: int, port: int) -> bool:
    rows = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/{pid}/net/{name}").read_text("ascii").splitlines()[1:]
    ]
    end = f":{port:04X}"
    inodes = {row[9] for row in rows if row[3] == _LISTENS and row[1].endswith(end)}
    files = [str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir()]
    return any(f"socket:[{inode}]" in files for inode in inodes)

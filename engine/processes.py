"""Ends forked processes with their parent, however that ends."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_POLL_SECONDS: Final = 0.5


@contextlib.contextmanager
def kill_children_with_parent(name: str) -> Iterator[None]:
    """Make processes that are forked inside end after this one, and give them this name.

    vLLM's EngineCore runs on once its parent was killed, and keeps memory, sockets and cores. The
    kernel's parent-death signal does not help: it watches the thread that forked.
    """
    parent, armed = os.getpid(), True

    def watch_parent() -> None:
        if armed:
            exit_with_parent(parent)
            _rename(name)

    os.register_at_fork(after_in_child=watch_parent)  # cannot be undone, hence `armed`
    try:
        yield
    finally:
        armed = False


def exit_with_parent(parent: int) -> None:
    """End this process soon after `parent`, its parent's id, has ended."""
    threading.Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


def _rename(name: str) -> None:
    """Set the name that `top` shows, 15 characters; vLLM's own call fails where Ray made one."""
    with contextlib.suppress(OSError):  # no Linux
        Path("/proc/self/comm").write_text(name[:15], "ascii")

"""Sees to it that forked processes do not outlive the process that they work for."""

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
    """Let processes that are forked inside follow this one into its death, and have this name.

    vLLM's EngineCore goes on for ever once its parent was killed, and keeps memory, sockets and
    cores. The kernel's parent-death signal is no help: it watches the thread that forked.
    """
    parent, armed = os.getpid(), True

    def follow() -> None:
        if armed:
            exit_with_parent(parent)
            _rename(name)

    os.register_at_fork(after_in_child=follow)  # for good: hence the switch
    try:
        yield
    finally:
        armed = False


def exit_with_parent(parent: int) -> None:
    """End this process soon after `parent`, which has to be its parent, has ended."""
    threading.Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


def _rename(name: str) -> None:
    """Set the name that `top` shows, of 15 characters; vLLM cannot, where Ray set it before."""
    with contextlib.suppress(OSError):  # no Linux
        Path("/proc/self/comm").write_text(name[:15], "ascii")

"""`LogPipe`: the output of the engine's process, whose last lines and phases the parent keeps.

Only there the runtime and the compiler write why an engine died.
"""

import os
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

PHASE: Final = "neuron-gateway phase: "
KEPT_LINES: Final = 400
_MARK: Final = b"\0\n"
_FLUSH_SECONDS: Final = 2.0  # how long the reading thread may take for what was written


class LogPipe:
    """A named pipe that engine processes write to, one after the other.

    `on_phase` is called in the reading thread with each phase. Lines also go to this process's
    standard error.
    """

    def __init__(self, on_phase: Callable[[str], None]) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="neuron-gateway-"))
        self.path = self._folder / "engine.log"
        os.mkfifo(self.path, 0o600)
        # Open for writing too: opening then does not wait, and no writer's end is an end of file.
        self._handle = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._on_phase = on_phase
        self._mark_read = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._read, name="engine-log", daemon=True)
        self._thread.start()

    def lines(self) -> list[str]:
        """Return the last lines, with everything that was written before the call."""
        if not self._closed:
            self._flush()
        return list(self._lines)

    def close(self) -> None:
        """Read what was written before, then stop."""
        if not self._closed:
            self._closed = True
            self._flush()
            self._thread.join(timeout=_FLUSH_SECONDS)
            os.close(self._handle)
            self.path.unlink()
            self._folder.rmdir()

    def _flush(self) -> None:
        """Write a mark and wait until the thread has read it."""
        self._mark_read.clear()
        os.write(self._handle, _MARK)
        self._mark_read.wait(_FLUSH_SECONDS)

    def _read(self) -> None:
        with os.fdopen(os.dup(self._handle), "rb") as source:
            for raw in source:
                if text := raw.removesuffix(_MARK).rstrip(b"\n"):
                    self._handle_line(text.decode("utf-8", "replace"))
                if raw.endswith(_MARK):
                    self._mark_read.set()
                    if self._closed:
                        return

    def _handle_line(self, line: str) -> None:
        if PHASE in line:
            self._on_phase(line.partition(PHASE)[2].strip())
            return
        self._lines.append(line)
        sys.stderr.write(f"{line}\n")


def write_to(path: Path) -> None:
    """Redirect the output of this process, that of native code too, into a pipe."""
    pipe = os.open(path, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(pipe, stream)
    os.close(pipe)


def send_phase(phase: str) -> None:
    """Write to this process's pipe which phase of a start begins."""
    os.write(1, f"{PHASE}{phase}\n".encode())

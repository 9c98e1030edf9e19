"""`LogPipe`: what the engine's process writes, passed on, with its last lines and its phases kept.

The runtime and the compiler say only there why an engine died.
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
_PATIENCE: Final = 2.0  # seconds, for a reader that is never far behind


class LogPipe:
    """A named pipe that engine processes write to, one after the other."""

    def __init__(self, on_phase: Callable[[str], None]) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="neuron-gateway-"))
        self.path = self._folder / "engine.log"
        os.mkfifo(self.path, 0o600)
        # Read and write: so that opening does not wait, and the end of a writer is not ours.
        self._handle = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._on_phase = on_phase
        self._marked = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._read, name="engine-log", daemon=True)
        self._thread.start()

    def lines(self) -> list[str]:
        """Give the last lines, with all that was written before the call."""
        if not self._closed:
            self._mark()
        return list(self._lines)

    def close(self) -> None:
        """Stop reading; what was written before is read."""
        if not self._closed:
            self._closed = True
            self._mark()
            self._thread.join(timeout=_PATIENCE)
            os.close(self._handle)
            self.path.unlink()
            self._folder.rmdir()

    def _mark(self) -> None:
        self._marked.clear()
        os.write(self._handle, _MARK)
        self._marked.wait(_PATIENCE)

    def _read(self) -> None:
        with os.fdopen(os.dup(self._handle), "rb") as source:
            for raw in source:
                if text := raw.removesuffix(_MARK).rstrip(b"\n"):
                    self._take(text.decode("utf-8", "replace"))
                if raw.endswith(_MARK):
                    self._marked.set()
                    if self._closed:
                        return

    def _take(self, line: str) -> None:
        if PHASE in line:
            self._on_phase(line.partition(PHASE)[2].strip())
            return
        self._lines.append(line)
        sys.stderr.write(f"{line}\n")


def write_to(path: Path) -> None:
    """Send what this process writes, its native code too, into a pipe."""
    pipe = os.open(path, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(pipe, stream)
    os.close(pipe)


def send_phase(phase: str) -> None:
    """Tell the reader of this process's pipe what the engine is about to do."""
    os.write(1, f"{PHASE}{phase}\n".encode())

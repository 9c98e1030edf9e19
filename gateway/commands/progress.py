"""`Progress`: the phases of a start on the console."""

import time

from rich.console import Console


class Progress:
    """Print one line per phase with its seconds; a terminal shows the running phase too."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status = console.status("")
        self._phase: str | None = None
        self._started_at = 0.0

    def __call__(self, phase: str) -> None:
        """End the running phase and begin this one."""
        self.end()
        self._phase, self._started_at = phase, time.monotonic()
        self._status.update(phase)
        self._status.start()

    def end(self) -> None:
        """End the running phase, if any."""
        self._status.stop()
        if self._phase is not None:
            seconds = time.monotonic() - self._started_at
            self._console.print(f"{seconds:6.1f} s  {self._phase}", markup=False, highlight=False)
        self._phase = None

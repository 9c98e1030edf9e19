"""`Watchdog`: tells an engine that is slow from one that hangs."""

import time


class Watchdog:
    """Measures how long an engine has produced nothing for requests that wait for it."""

    def __init__(self) -> None:
        self._waiting: dict[str, float] = {}
        self._last_output = 0.0

    def begin_wait(self, request_id: str) -> None:
        """Record that a request waits for its next output."""
        self._waiting[request_id] = time.monotonic()

    def end_wait(self, request_id: str) -> None:
        """Record that a request got an output, or ended."""
        self._last_output = time.monotonic()
        self._waiting.pop(request_id, None)

    def silent_seconds(self) -> float:
        """Return the seconds since the last output; 0 while no request waits.

        A request whose reader takes nothing does not wait for the engine.
        """
        if not self._waiting:
            return 0.0
        return time.monotonic() - max(self._last_output, min(self._waiting.values()))

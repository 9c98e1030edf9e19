"""Tells an engine that is slow from one that hangs."""

import time


class Watchdog:
    """Knows for how long an engine has given nothing to anyone who waits for it."""

    def __init__(self) -> None:
        self._waiting: dict[str, float] = {}
        self._last = 0.0

    def waits(self, request_id: str) -> None:
        """Note that a request waits for its next delta."""
        self._waiting[request_id] = time.monotonic()

    def served(self, request_id: str) -> None:
        """Note that a request got a delta, or left."""
        self._last = time.monotonic()
        self._waiting.pop(request_id, None)

    def silence(self) -> float:
        """Give the seconds of silence; a reader who does not read is no fault of the engine."""
        if not self._waiting:
            return 0.0
        return time.monotonic() - max(self._last, min(self._waiting.values()))

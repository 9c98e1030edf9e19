"""`WaitTimer`: ends a task's wait that lasts too long."""

import asyncio


class WaitTimer:
    """One timer of the event loop for all the waits of a stream, which cost no timer each.

    It fires at the earliest moment at which a wait may be late. Where none is late then, it is
    set again: for the end of the wait that runs, or at the beginning of the next one.
    """

    def __init__(self, ends_at: float | None = None) -> None:
        """Every wait ends at `ends_at`, in seconds of the loop's clock, or at its own limit."""
        self._loop = asyncio.get_running_loop()
        self._ends_at = float("inf") if ends_at is None else ends_at
        self._task: asyncio.Task[object] | None = None
        self._due = 0.0
        self._handle: asyncio.TimerHandle | None = None
        self._fired = False

    def begin(self, seconds: float) -> None:
        """Begin a wait of the running task, of at most `seconds`."""
        # The loop is passed, since to look it up costs as much again.
        self._task = asyncio.current_task(self._loop)
        self._due = min(self._loop.time() + seconds, self._ends_at)
        if self._handle is None or self._due < self._handle.when():
            self._schedule()

    def end(self) -> None:
        """End the wait; a cancel that it did not end by is taken back."""
        if self._fired:
            self.expired()
        self._task = None

    def close(self) -> None:
        """End the wait, if one runs, and cancel the timer."""
        self.end()
        if self._handle is not None:
            self._handle.cancel()

    def expired(self) -> bool:
        """Return whether a CancelledError of the wait is this timer's, and nobody else's too."""
        task, fired = self._task, self._fired
        self._fired = False
        return fired and task is not None and task.uncancel() == 0

    def _schedule(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._handle = self._loop.call_at(self._due, self._fire)

    def _fire(self) -> None:
        self._handle = None
        if self._task is None:
            return
        if self._loop.time() < self._due:
            self._schedule()
            return
        self._fired = True
        self._task.cancel()

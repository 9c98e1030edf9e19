"""`BodyBudget`: the bytes of all bodies that are read and validated at the same time."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from gateway.errors import ApiError, retry_headers

RETRY_SECONDS: Final = 1.0


class Reservation:
    """The bytes of one body."""

    def __init__(self, budget: "BodyBudget") -> None:
        self._budget = budget
        self.bytes = 0

    def add(self, size: int) -> None:
        """Reserve more bytes; raise ApiError 503 if all bodies together have too many."""
        if self._budget.used + size > self._budget.limit:
            raise ApiError(
                503,
                "The gateway is reading too many large requests. Try again in a second.",
                code="overloaded",
                type_="server_error",
                headers=retry_headers(RETRY_SECONDS) | {"connection": "close"},
            )
        self._budget.used += size
        self.bytes += size


class BodyBudget:
    """Counts the bytes of bodies up to `limit`."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    @contextmanager
    def reservation(self) -> Iterator[Reservation]:
        """Return a reservation that is released with the block."""
        reservation = Reservation(self)
        try:
            yield reservation
        finally:
            self.used -= reservation.bytes

"""`BodyBudget`: the bytes of all bodies that are read and validated at the same time."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from gateway.errors import ApiError, retry_headers

RETRY_SECONDS: Final = 1.0


@dataclass(slots=True)
class Reservation:
    """The bytes of one body."""

    budget: "BodyBudget"
    bytes: int = 0

    def add(self, size: int) -> None:
        """Reserve more bytes; raise ApiError 503 if all bodies together have too many."""
        if self.budget.used + size > self.budget.limit:
            raise ApiError(
                503,
                "The gateway is reading too many large requests. Try again in a second.",
                code="overloaded",
                type_="server_error",
                headers=retry_headers(RETRY_SECONDS) | {"connection": "close"},
            )
        self.budget.used += size
        self.bytes += size


@dataclass(slots=True)
class BodyBudget:
    """Counts the bytes of bodies up to `limit`."""

    limit: int
    used: int = 0

    @contextmanager
    def reservation(self) -> Iterator[Reservation]:
        """Return a reservation that is released with the block."""
        reservation = Reservation(self)
        try:
            yield reservation
        finally:
            self.used -= reservation.bytes

"""`Counters`: what was used in a minute of the clock, counted in memory or in a Redis."""

import logging
import math
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.errors import StorageError

MINUTE: Final = 60
TIMEOUT_SECONDS: Final = 1.0  # of the Redis, which every limited request waits for
LOG_INTERVAL_SECONDS: Final = 10.0  # between two lines about a storage that cannot be reached
_log: Final = logging.getLogger(__name__)
T = TypeVar("T")


class Counters:
    """A count for each kind, name and minute; None where the storage cannot be reached.

    The minute is part of a count's key, so that a late refund cannot reach the next minute. The
    clock returns Unix seconds.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._pool = None if url == "memory" else _pool(url)
        self._storage = _storage(url, self._pool)
        self._logged_at = -math.inf

    def this_minute(self) -> int:
        """Return the current minute, counted from the Unix epoch."""
        return int(self._clock() // MINUTE)

    def seconds_left(self, minute: int) -> float:
        """Return the seconds until the end of a minute."""
        return max(0.0, (minute + 1) * MINUTE - self._clock())

    async def add(self, kind: str, name: str, minute: int, amount: int) -> int | None:
        """Add to a count, and return it."""
        key = _key(kind, name, minute)
        return await self._count_or_none(self._storage.incr(key, 2 * MINUTE, amount=amount))

    async def used(self, kind: str, name: str, minute: int) -> int | None:
        """Return a count."""
        return await self._count_or_none(self._storage.get(_key(kind, name, minute)))

    async def close(self) -> None:
        """Close the connections."""
        if self._pool is not None:
            await self._pool.aclose()

    async def _count_or_none(self, work: Awaitable[T]) -> T | None:
        try:
            return await work
        except StorageError as error:
            if time.monotonic() - self._logged_at > LOG_INTERVAL_SECONDS:
                self._logged_at = time.monotonic()
                _log.error("The limits of API keys are not enforced: %s", error)
            return None


def _key(kind: str, name: str, minute: int) -> str:
    return f"{kind}/{name}/{minute}"


def _pool(url: str) -> Any:
    from redis.asyncio import ConnectionPool

    timeouts = {"socket_timeout": TIMEOUT_SECONDS, "socket_connect_timeout": TIMEOUT_SECONDS}
    return ConnectionPool.from_url(_redis_url(url), **timeouts)


def _storage(url: str, pool: Any) -> Storage:
    if url == "memory":
        return MemoryStorage(wrap_exceptions=True)
    return RedisStorage(
        f"async+{_redis_url(url)}",
        implementation="redispy",
        wrap_exceptions=True,
        key_prefix="neuron-gateway",
        connection_pool=pool,
    )


def _redis_url(url: str) -> str:
    """Return the URL of a Valkey with the scheme that Redis' client knows."""
    return url.replace("valkey://", "redis://", 1)

"""`Counters`: what was used in a minute of the clock, in memory or in a Redis."""

import logging
import time
from collections.abc import Awaitable
from typing import Any, Final, TypeVar

from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.errors import StorageError

MINUTE: Final = 60
TIMEOUT_SECONDS: Final = 1.0  # of the Redis, which every limited request waits for
COMPLAIN_SECONDS: Final = 10.0
_log: Final = logging.getLogger(__name__)
T = TypeVar("T")


def this_minute() -> int:
    """Give the running minute, counted from the Unix epoch."""
    return int(time.time() // MINUTE)


def seconds_left(minute: int) -> float:
    """Give the seconds to a minute's end."""
    return max(0.0, (minute + 1) * MINUTE - time.time())


class Counters:
    """Counts for each kind, name and minute; gives None where the storage cannot be reached.

    The minute is part of a count's name, so that a late correction cannot reach the next one.
    """

    def __init__(self, url: str) -> None:
        self._pool = None if url == "memory" else _pool(url)
        self._storage = _storage(url, self._pool)
        self._complained = -COMPLAIN_SECONDS

    async def add(self, kind: str, name: str, minute: int, amount: int) -> int | None:
        """Add to a count, and give it."""
        key = _key(kind, name, minute)
        return await self._tried(self._storage.incr(key, 2 * MINUTE, amount=amount))

    async def used(self, kind: str, name: str, minute: int) -> int | None:
        """Give a count."""
        return await self._tried(self._storage.get(_key(kind, name, minute)))

    async def close(self) -> None:
        """Close the connections."""
        if self._pool is not None:
            await self._pool.aclose()

    async def _tried(self, work: Awaitable[T]) -> T | None:
        try:
            return await work
        except StorageError as error:
            if time.monotonic() - self._complained > COMPLAIN_SECONDS:
                self._complained = time.monotonic()
                _log.error("Limits of API keys are not kept: %s", error)
            return None


def _key(kind: str, name: str, minute: int) -> str:
    return f"{kind}/{name}/{minute}"


def _pool(url: str) -> Any:
    from redis.asyncio import ConnectionPool

    spelt = url.replace("valkey://", "redis://", 1)
    timeouts = {"socket_timeout": TIMEOUT_SECONDS, "socket_connect_timeout": TIMEOUT_SECONDS}
    return ConnectionPool.from_url(spelt, **timeouts)


def _storage(url: str, pool: Any) -> Storage:
    if url == "memory":
        return MemoryStorage(wrap_exceptions=True)
    return RedisStorage(
        f"async+{url.replace('valkey://', 'redis://', 1)}",
        implementation="redispy",
        wrap_exceptions=True,
        key_prefix="neuron-gateway",
        connection_pool=pool,
    )

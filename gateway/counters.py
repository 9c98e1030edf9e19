"""`Counters`: what was used in the running minute, in memory or in a Redis."""

import logging
import time
from collections.abc import Awaitable
from typing import Any, Final, TypeVar

from limits import RateLimitItem
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import StorageError
from limits.util import WindowStats

TIMEOUT_SECONDS: Final = 1.0  # of the Redis, which every limited request waits for
COMPLAIN_SECONDS: Final = 10.0
_log: Final = logging.getLogger(__name__)
T = TypeVar("T")


class Counters:
    """Counts for each item, kind and name; gives None where the storage cannot be reached."""

    def __init__(self, url: str) -> None:
        self._pool = None if url == "memory" else _pool(url)
        self._storage = _storage(url, self._pool)
        self._limiter = FixedWindowRateLimiter(self._storage)
        self._complained = -COMPLAIN_SECONDS

    async def add(self, item: RateLimitItem, kind: str, name: str, amount: int) -> int | None:
        """Add to a count, and give it."""
        key = item.key_for(kind, name)
        return await self._tried(self._storage.incr(key, item.get_expiry(), amount=amount))

    async def stats(self, item: RateLimitItem, kind: str, name: str) -> WindowStats | None:
        """Give what is left, and the Unix time at which the minute ends."""
        return await self._tried(self._limiter.get_window_stats(item, kind, name))

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

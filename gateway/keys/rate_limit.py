"""`RateLimiter`: the requests and tokens of a minute, and the open requests, of each caller.

A request is charged with the most that it may use, and what it did not use is refunded at its end.
"""

import asyncio
import math
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from engine import QuotaExceeded, TokenDelta
from gateway.caller import Caller
from gateway.keys.counters import Counters

CONCURRENCY_RETRY_SECONDS: Final = 1.0  # where the caller has too many requests open


@dataclass(frozen=True, slots=True)
class Estimate:
    """The tokens of a request: those of its prompts, and the most that its answers may have.

    `choices` is the number of answers to each prompt.
    """

    prompt: int
    answers: int
    choices: int


class Charge:
    """The charge of a request whose caller has no limits: nothing is counted."""

    def add(self, index: int, delta: TokenDelta) -> None:
        """Count a delta of the choice with this index."""


class RateLimiter:
    """Counts in `memory`, or in a Redis that replicas share; open requests are counted here alone.

    While the Redis cannot be reached every request is admitted, and the log says so.
    """

    def __init__(self, url: str = "memory", clock: Callable[[], float] = time.time) -> None:
        self._counters = Counters(url, clock)
        self._open: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Finish the charges that are under way, and close the connections."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._counters.close()

    @asynccontextmanager
    async def charge(self, caller: Caller, estimate: Estimate) -> AsyncGenerator[Charge, None]:
        """Charge a request with its estimate; at the end of the block, with what it used.

        Raises QuotaExceeded where the caller's limits do not admit it, and then charges nothing.
        """
        if not caller.limited:
            yield Charge()
            return
        charge = _LimitedCharge(self._counters, caller, estimate)
        self._open_request(caller)
        try:
            await self._shielded(charge.reserve())
            yield charge
        finally:
            self._close_request(caller)
            await self._shielded(charge.settle())

    async def rate_limit_headers(self, caller: Caller) -> dict[str, str]:
        """Return the headers that say how much is left, as OpenAI names them."""
        headers: dict[str, str] = {}
        minute = self._counters.this_minute()
        for kind, limit in _limits(caller).items():
            used = await self._counters.used(kind, caller.name, minute)
            if used is None:
                return {}
            headers[f"x-ratelimit-limit-{kind}"] = str(limit)
            headers[f"x-ratelimit-remaining-{kind}"] = str(min(limit, max(0, limit - used)))
            headers[f"x-ratelimit-reset-{kind}"] = duration(
                self._counters.seconds_left(minute) if used else 0
            )
        return headers

    def _open_request(self, caller: Caller) -> None:
        if caller.concurrency is not None and self._open[caller.name] >= caller.concurrency:
            raise QuotaExceeded(
                f"This key has {caller.concurrency} requests open, which is its limit.",
                CONCURRENCY_RETRY_SECONDS,
                "requests",
            )
        self._open[caller.name] += 1

    def _close_request(self, caller: Caller) -> None:
        self._open[caller.name] -= 1
        if not self._open[caller.name]:
            del self._open[caller.name]

    async def _shielded(self, work: Coroutine[Any, Any, None]) -> None:
        """Run to the end even if the client disconnects: a charge must not be half made."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.shield(task)


class _LimitedCharge(Charge):
    """The charge of one request, in the minute in which it began.

    A prompt counts by its usage, or by its estimate where the request ended before its usage came.
    """

    def __init__(self, counters: Counters, caller: Caller, estimate: Estimate) -> None:
        self._counters = counters
        self._caller = caller
        self._estimate = estimate
        self._minute = self._counters.this_minute()
        self._prompt_tokens = self._output_tokens = 0
        self._charged: dict[str, int] = {}
        self._reserved = asyncio.Event()

    def add(self, index: int, delta: TokenDelta) -> None:
        self._output_tokens += len(delta.token_ids)
        if delta.usage is not None and index % self._estimate.choices == 0:
            self._prompt_tokens += delta.usage.prompt_tokens

    async def reserve(self) -> None:
        """Charge the request and its estimate, or, raising QuotaExceeded, neither."""
        costs = {"tokens": self._estimate.prompt + self._estimate.answers, "requests": 1}
        try:
            for kind, limit in _limits(self._caller).items():
                await self._take(kind, costs[kind], limit)
        except QuotaExceeded:
            await self._refund(dict(self._charged))
            self._charged.clear()
            raise
        finally:
            self._reserved.set()

    async def settle(self) -> None:
        """Refund the tokens that were charged and not used."""
        await self._reserved.wait()
        if "tokens" in self._charged:
            used = (self._prompt_tokens or self._estimate.prompt) + self._output_tokens
            await self._refund({"tokens": self._charged["tokens"] - used})

    async def _take(self, kind: str, cost: int, limit: int) -> None:
        if cost > limit:
            raise QuotaExceeded(_too_large(kind, cost, limit), math.inf, kind)
        used = await self._counters.add(kind, self._caller.name, self._minute, cost)
        if used is None:
            return
        self._charged[kind] = cost
        if used > limit:
            seconds = max(0.001, self._counters.seconds_left(self._minute))
            raise QuotaExceeded(_used_up(kind, limit, seconds), seconds, kind)

    async def _refund(self, amounts: Mapping[str, int]) -> None:
        for kind, amount in amounts.items():
            if amount:
                await self._counters.add(kind, self._caller.name, self._minute, -amount)


def _limits(caller: Caller) -> dict[str, int]:
    """Return the limits of a minute; tokens come first, since they are exceeded most often."""
    limits = {"tokens": caller.tokens_per_minute, "requests": caller.requests_per_minute}
    return {kind: limit for kind, limit in limits.items() if limit is not None}


def duration(seconds: float) -> str:
    """Return a duration as OpenAI writes it: `850ms`, `12s`, `1m30s`."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    minutes, rest = divmod(math.ceil(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def _used_up(kind: str, limit: int, seconds: float) -> str:
    return (
        f"This key may use {limit} {kind} per minute and has used them. "
        f"Try again in {duration(seconds)}."
    )


def _too_large(kind: str, cost: int, limit: int) -> str:
    return (
        f"This request may take {cost} {kind} and this key may use {limit} per minute. "
        "Shorten the prompt or lower max_tokens."
    )

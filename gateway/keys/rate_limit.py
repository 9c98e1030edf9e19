"""`RateLimiter`: requests and tokens of a minute, and open requests, for each caller.

A request is charge_for with what it may take at most, and is given back what it did not take.
"""

import asyncio
import math
from collections import Counter
from collections.abc import AsyncGenerator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from engine import QuotaExceeded, TokenDelta
from gateway.caller import Caller
from gateway.keys.counters import Counters, seconds_left, this_minute

BUSY_SECONDS: Final = 1.0  # to come back in, for who has too many requests open


@dataclass(frozen=True, slots=True)
class Estimate:
    """The tokens of a request: of its prompts, and of all its answers at most.

    `choices` is how many answers each prompt has.
    """

    prompt: int
    answers: int
    choices: int


class RateLimiter:
    """Counts in `memory`, or in a Redis that replicas share; open requests are counted here alone.

    While the Redis cannot be reached requests are let through, and the log says so.
    """

    def __init__(self, url: str = "memory") -> None:
        self._counters = Counters(url)
        self._open: Counter[str] = Counter()
        self._work: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Finish what is under way, and close the connections."""
        await asyncio.gather(*self._work, return_exceptions=True)
        await self._counters.close()

    @asynccontextmanager
    async def charge(self, caller: Caller, estimate: Estimate) -> AsyncGenerator["Charge", None]:
        """Charge a request while the block runs; raise QuotaExceeded where a limit is reached.

        At its end the charge is what it took; prompts count by their usage, if it came so far.
        """
        charge = Charge(estimate.choices)
        if not caller.limited:
            yield charge
            return
        minute = _MinuteCharge(self._counters, caller)
        self._enter(caller)
        try:
            await self._shielded(minute.take(estimate.prompt + estimate.answers))
            yield charge
        finally:
            self._leave(caller)
            prompt = charge.prompt_tokens or estimate.prompt
            await self._shielded(minute.settle(prompt + charge.output_tokens))

    async def rate_limit_headers(self, caller: Caller) -> dict[str, str]:
        """Give the headers that say how much is left, as OpenAI names them."""
        headers: dict[str, str] = {}
        minute = this_minute()
        for kind, most in _limits(caller).items():
            used = await self._counters.used(kind, caller.name, minute)
            if used is None:
                return {}
            headers[f"x-ratelimit-limit-{kind}"] = str(most)
            headers[f"x-ratelimit-remaining-{kind}"] = str(min(most, max(0, most - used)))
            headers[f"x-ratelimit-reset-{kind}"] = duration(seconds_left(minute) if used else 0)
        return headers

    def _enter(self, caller: Caller) -> None:
        if caller.concurrency is not None and self._open[caller.name] >= caller.concurrency:
            raise QuotaExceeded(
                f"This key has {caller.concurrency} requests open, which is its limit.",
                BUSY_SECONDS,
                "requests",
            )
        self._open[caller.name] += 1

    def _leave(self, caller: Caller) -> None:
        self._open[caller.name] -= 1
        if not self._open[caller.name]:
            del self._open[caller.name]

    async def _shielded(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it to its end, even if the client leaves meanwhile: a charge must not be half made."""
        task = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        await asyncio.shield(task)


class Charge:
    """The tokens that a request took so far."""

    __slots__ = ("_choices", "output_tokens", "prompt_tokens")

    def __init__(self, choices: int) -> None:
        self._choices = choices
        self.output_tokens = self.prompt_tokens = 0

    def add(self, index: int, delta: TokenDelta) -> None:
        """Count a delta."""
        self.output_tokens += len(delta.token_ids)
        if delta.usage is not None and index % self._choices == 0:
            self.prompt_tokens += delta.usage.prompt_tokens


class _MinuteCharge:
    """What one request was charge_for with, in the minute in which it came."""

    def __init__(self, counters: Counters, caller: Caller) -> None:
        self._counters = counters
        self._caller = caller
        self._minute = this_minute()
        self._taken: dict[str, int] = {}
        self._ready = asyncio.Event()

    async def take(self, tokens: int) -> None:
        """Charge the tokens and the request, or, raising QuotaExceeded, neither."""
        costs = {"tokens": tokens, "requests": 1}
        try:
            for kind, most in _limits(self._caller).items():
                await self._take(kind, costs[kind], most)
        except QuotaExceeded:
            await self._give_back(dict(self._taken))
            self._taken.clear()
            raise
        finally:
            self._ready.set()

    async def settle(self, tokens: int) -> None:
        """Give back the tokens that were not taken."""
        await self._ready.wait()
        if "tokens" in self._taken:
            await self._give_back({"tokens": self._taken["tokens"] - tokens})

    async def _take(self, kind: str, cost: int, most: int) -> None:
        if cost > most:
            raise QuotaExceeded(_too_large(kind, cost, most), math.inf, kind)
        used = await self._counters.add(kind, self._caller.name, self._minute, cost)
        if used is None:
            return
        self._taken[kind] = cost
        if used > most:
            seconds = max(0.001, seconds_left(self._minute))
            raise QuotaExceeded(_used_up(kind, most, seconds), seconds, kind)

    async def _give_back(self, amounts: Mapping[str, int]) -> None:
        for kind, amount in amounts.items():
            if amount:
                await self._counters.add(kind, self._caller.name, self._minute, -amount)


def _limits(caller: Caller) -> dict[str, int]:
    """Give the limits of a minute; tokens first, which are what is refused most."""
    limits = {"tokens": caller.tokens_per_minute, "requests": caller.requests_per_minute}
    return {kind: most for kind, most in limits.items() if most is not None}


def duration(seconds: float) -> str:
    """Write a duration as OpenAI does: `850ms`, `12s`, `1m30s`."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    minutes, rest = divmod(math.ceil(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def _used_up(kind: str, amount: int, seconds: float) -> str:
    return (
        f"This key may use {amount} {kind} per minute and has used them. "
        f"Try again in {duration(seconds)}."
    )


def _too_large(kind: str, cost: int, amount: int) -> str:
    return (
        f"This request may take {cost} {kind} and this key may use {amount} per minute. "
        "Shorten the prompt or lower max_tokens."
    )

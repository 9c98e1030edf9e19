"""`Quota`: requests and tokens of a minute, and open requests, for each caller.

A request is charged with what it may take at most, and is given back what it did not take.
"""

import math
import time
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.util import WindowStats

from engine import QuotaExceeded, TokenDelta
from gateway.caller import Caller
from gateway.choices import ChoiceDeltas
from gateway.counters import Counters

BUSY_SECONDS: Final = 1.0  # to come back in, for who has too many requests open


@dataclass(frozen=True, slots=True)
class Estimate:
    """The tokens of a request: of its prompts, and of all its answers at most.

    `choices` is how many answers each prompt has.
    """

    prompt: int
    answers: int
    choices: int


class Quota:
    """Counts in `memory`, or in a Redis that replicas share; open requests are counted here alone.

    While the Redis cannot be reached requests are let through, and the log says so.
    """

    def __init__(self, url: str = "memory") -> None:
        self._counters = Counters(url)
        self._open: Counter[str] = Counter()

    async def close(self) -> None:
        """Close the connections."""
        await self._counters.close()

    async def charged(
        self, caller: Caller, estimate: Estimate, deltas: ChoiceDeltas
    ) -> AsyncGenerator[tuple[int, TokenDelta], None]:
        """Pass a request's deltas on, charged for; raises QuotaExceeded before the first.

        At its end the charge is what it took; prompts count by their usage, if it came so far.
        """
        charge = _Charge(self, caller, estimate.prompt + estimate.answers)
        made = prompt = 0
        await charge.take()
        try:
            async with aclosing(deltas):
                async for item in deltas:
                    index, delta = item
                    made += len(delta.token_ids)
                    if delta.usage is not None and index % estimate.choices == 0:
                        prompt += delta.usage.prompt_tokens
                    yield item
        finally:
            await charge.settle((prompt or estimate.prompt) + made)

    async def standing(self, caller: Caller) -> dict[str, str]:
        """Give the headers that say how much is left, as OpenAI names them."""
        headers: dict[str, str] = {}
        for kind, item in _items(caller).items():
            stats = await self._counters.stats(item, kind, caller.name)
            if stats is None:
                return {}
            headers[f"x-ratelimit-limit-{kind}"] = str(item.amount)
            headers[f"x-ratelimit-remaining-{kind}"] = str(stats.remaining)
            headers[f"x-ratelimit-reset-{kind}"] = duration(_seconds(stats, item))
        return headers

    def enter(self, caller: Caller) -> None:
        """Count an open request; raises QuotaExceeded for one too many."""
        if caller.concurrency is not None and self._open[caller.name] >= caller.concurrency:
            raise QuotaExceeded(
                f"This key has {caller.concurrency} requests open, which is its limit.",
                BUSY_SECONDS,
                "requests",
            )
        self._open[caller.name] += 1

    def leave(self, caller: Caller) -> None:
        """Count it down."""
        self._open[caller.name] -= 1
        if not self._open[caller.name]:
            del self._open[caller.name]

    async def take(self, caller: Caller, kind: str, cost: int) -> float:
        """Charge a caller, and give the Unix time at which the minute ends; raises QuotaExceeded.

        What is refused is not charged.
        """
        item = _items(caller)[kind]
        if cost > item.amount:
            raise QuotaExceeded(_too_large(kind, cost, item.amount), math.inf, kind)
        used = await self._counters.add(item, kind, caller.name, cost)
        stats = await self._counters.stats(item, kind, caller.name)
        if used is None or stats is None:
            return 0.0
        if used > item.amount:
            await self._counters.add(item, kind, caller.name, -cost)
            seconds = _seconds(stats, item)
            raise QuotaExceeded(_used_up(kind, item.amount, seconds), seconds, kind)
        return float(stats.reset_time)

    async def give_back(self, caller: Caller, kind: str, tokens: int, until: float) -> None:
        """Correct a charge, if the minute that it was made in is not over."""
        if tokens and time.time() < until:
            await self._counters.add(_items(caller)[kind], kind, caller.name, -tokens)


class _Charge:
    """What one request was charged with."""

    def __init__(self, quota: Quota, caller: Caller, tokens: int) -> None:
        self._quota = quota
        self._caller = caller
        self._tokens = tokens
        self._until: float | None = None

    async def take(self) -> None:
        """Charge a request, its tokens, and its place; all or nothing."""
        caller, quota = self._caller, self._quota
        quota.enter(caller)
        try:
            if caller.requests_per_minute is not None:
                await quota.take(caller, "requests", 1)
            if caller.tokens_per_minute is not None:
                self._until = await quota.take(caller, "tokens", self._tokens)
        except BaseException:
            quota.leave(caller)
            raise

    async def settle(self, tokens: int) -> None:
        """Give back what was not taken."""
        self._quota.leave(self._caller)
        if self._until is not None:
            rest = self._tokens - tokens
            await self._quota.give_back(self._caller, "tokens", rest, self._until)


def _items(caller: Caller) -> Mapping[str, RateLimitItem]:
    limits = {"requests": caller.requests_per_minute, "tokens": caller.tokens_per_minute}
    return {
        kind: RateLimitItemPerMinute(amount)
        for kind, amount in limits.items()
        if amount is not None
    }


def _seconds(stats: WindowStats, item: RateLimitItem) -> float:
    """Give the seconds to the end of a minute; nothing is used where it has not begun."""
    untouched = stats.remaining == item.amount
    return 0.0 if untouched else max(0.001, stats.reset_time - time.time())


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

"""`Admission`: what the engine can serve gets a place, a few more wait, the rest is told when."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final

from engine import (
    DeadlineExceeded,
    Engine,
    EngineOverloaded,
    GenerateRequest,
    TokenDelta,
)
from gateway.policies.base import EngineMiddleware
from gateway.policies.fair_queue import FairQueue
from gateway.policies.token_estimate import answer_tokens, prompt_tokens
from gateway.policies.wait_estimator import PendingWork, WaitEstimator

SPREAD: Final = 0.25  # of a wait is added by chance, or all who were refused come back at once
LEAST_WAIT: Final = 0.05  # seconds: an engine whose pace is not known yet


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    """How many requests are served at once, how many may wait for that, and how long."""

    places: int
    max_queued: int
    queue_timeout_seconds: float


class Ticket:
    """One request's way through: it waits, has a place, and gives it back."""

    __slots__ = ("begun", "cost", "first", "made", "place", "request", "tokens")

    def __init__(self, request: GenerateRequest) -> None:
        self.request = request
        self.tokens = prompt_tokens(request) + len(request.emitted)
        self.cost = self.tokens + answer_tokens(request)
        self.place: asyncio.Future[None] | None = None
        self.begun = self.first = 0.0
        self.made = 0

    @property
    def caller(self) -> str:
        """Whose request it is."""
        return self.request.caller

    @property
    def weight(self) -> float:
        """The caller's share."""
        return self.request.weight

    def pending_work(self) -> PendingWork:
        """Give what the pace needs to know."""
        return PendingWork(self.tokens, answer_tokens(self.request), self.made)


class Admission(EngineMiddleware):
    """An Engine around an Engine, beside it, where its count of places is the truth."""

    def __init__(
        self,
        engine: Engine,
        places: AdmissionLimits,
        *,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        super().__init__(engine)
        self._limits = places
        self._clock = clock
        self._chance = chance
        self._running: set[Ticket] = set()
        self._queue: FairQueue[Ticket] = FairQueue()
        self._estimator = WaitEstimator()

    @property
    def waiting(self) -> int:
        """How many requests wait for a place."""
        return len(self._queue)

    @property
    def running(self) -> int:
        """How many requests have a place."""
        return len(self._running)

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[TokenDelta, None]:
        """Stream from the engine behind as soon as there is a place.

        Raises EngineOverloaded where that would take too long, DeadlineExceeded where it did.
        """
        ticket, came = Ticket(request), self._clock()
        try:
            await self._place(ticket)
            waited = ticket.begun - came
            async with aclosing(self._engine.generate(request)) as deltas:
                async for delta in deltas:
                    self._note(ticket, delta)
                    if delta.usage is not None:
                        delta = replace(delta, usage=replace(delta.usage, queue_seconds=waited))
                    yield delta
        finally:
            self._leave(ticket)

    async def _place(self, ticket: Ticket) -> None:
        if len(self._running) >= self._limits.places or self._queue:
            await self._wait(ticket)
        else:
            self._give(ticket)

    async def _wait(self, ticket: Ticket) -> None:
        longest = min(
            self._limits.queue_timeout_seconds, ticket.request.timeout_seconds or float("inf")
        )
        self._refuse_what_is_too_long(ticket, longest)
        ticket.place = asyncio.get_running_loop().create_future()
        self._queue.push(ticket)
        try:
            # Not wait_for: in Python 3.11 it loses a cancellation that comes with the result.
            async with asyncio.timeout(longest):
                await ticket.place
        except TimeoutError:
            raise DeadlineExceeded("The request waited too long for a place.") from None

    def _refuse_what_is_too_long(self, ticket: Ticket, longest: float) -> None:
        running = [other.pending_work() for other in self._running]
        ahead = [other.pending_work() for other in self._queue.ahead_of(ticket)]
        predicted = self._estimator.wait(running, ahead, self._limits.places)
        if len(self._queue) >= self._limits.max_queued:
            # A place in the queue is free as soon as one of the running ones ends.
            raise self._overloaded(self._estimator.wait(running, (), self._limits.places))
        if predicted > longest:
            raise self._overloaded(predicted - longest)

    def _overloaded(self, seconds: float) -> EngineOverloaded:
        wait = max(LEAST_WAIT, seconds) * (1 + SPREAD * self._chance())
        return EngineOverloaded(
            f"Model '{self.model.id}' has no place free and its queue is full. "
            f"Try again in {wait:.1f} s.",
            wait,
        )

    def _give(self, ticket: Ticket) -> None:
        ticket.begun = self._clock()
        self._running.add(ticket)

    def _note(self, ticket: Ticket, delta: TokenDelta) -> None:
        """Learn the pace; the hot path is one addition."""
        if ticket.made == 0 and delta.token_ids:
            ticket.first = self._clock()
            self._estimator.prefilled(ticket.tokens, ticket.first - ticket.begun)
        ticket.made += len(delta.token_ids)
        if delta.finish_reason is not None:
            self._estimator.ended(ticket.made, self._clock() - ticket.first)

    def _leave(self, ticket: Ticket) -> None:
        if ticket in self._running:
            self._running.remove(ticket)
            self._next()
        elif ticket.place is not None:
            self._queue.remove(ticket)

    def _next(self) -> None:
        while self._queue and len(self._running) < self._limits.places:
            ticket = self._queue.pop()
            self._give(ticket)
            if ticket.place is not None and not ticket.place.done():
                ticket.place.set_result(None)

"""`Admission`: as many requests as the engine can serve, a fair and bounded queue before them."""

import random
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final

from engine import Engine, EngineOverloaded, GenerateRequest, TokenDelta
from gateway.policies.base import EngineMiddleware
from gateway.policies.fair_queue import Queued
from gateway.policies.fair_slots import FairSlots
from gateway.policies.token_estimate import estimated_prompt_tokens, max_output_tokens
from gateway.policies.wait_estimator import PendingWork, WaitEstimator

JITTER: Final = 0.25  # of a wait is added at random, or all rejected clients come back at once
LEAST_RETRY_SECONDS: Final = 0.05  # where the speed of the engine is not known yet

Overflow = Callable[[GenerateRequest, EngineOverloaded], AsyncGenerator[TokenDelta, None]]


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    """How many requests run at once, how many may be queued, and for how long."""

    max_running: int
    max_queued: int
    queue_timeout_seconds: float


@dataclass(eq=False, slots=True, kw_only=True)
class Ticket(Queued):
    """One request in Admission: it is queued, is admitted, and leaves. Times are in seconds."""

    work: PendingWork
    admitted_at: float = 0.0
    first_token_at: float = 0.0


class Admission(EngineMiddleware):
    """Middleware with the queue of one engine; it has to be in the process of that engine.

    `clock` gives seconds, `chance` a number between 0 and 1.
    """

    def __init__(
        self,
        engine: Engine,
        limits: AdmissionLimits,
        *,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        super().__init__(engine)
        self._limits = limits
        self._clock = clock
        self._chance = chance
        self._slots: FairSlots[Ticket] = FairSlots(limits.max_running)
        self._estimator = WaitEstimator()

    @property
    def waiting(self) -> int:
        """The number of requests in the queue."""
        return len(self._slots.queue)

    @property
    def running(self) -> int:
        """The number of requests that the engine has."""
        return len(self._slots.running)

    async def generate(
        self, request: GenerateRequest, offer_to_others: Overflow | None = None
    ) -> AsyncGenerator[TokenDelta, None]:
        """Yield the deltas of the wrapped engine, once it has room for the request.

        Where that would take too long, yield those of `offer_to_others`; without it, raises
        EngineOverloaded. Raises DeadlineExceeded where it did take too long.
        """
        ticket, arrived_at = _ticket(request), self._clock()
        timeout = min(self._limits.queue_timeout_seconds, request.timeout_seconds or float("inf"))
        if self._slots.full and (refusal := self._refusal(ticket, timeout)):
            if offer_to_others is None:
                raise refusal
            async with aclosing(offer_to_others(request, refusal)) as deltas:
                async for delta in deltas:
                    yield delta
            return
        async with self._slots.slot(ticket, timeout):
            ticket.admitted_at = self._clock()
            queue_seconds = ticket.admitted_at - arrived_at
            async with aclosing(self._engine.generate(request)) as deltas:
                async for delta in deltas:
                    self._record(ticket, delta)
                    if delta.usage is not None:
                        usage = replace(delta.usage, queue_seconds=queue_seconds)
                        delta = replace(delta, usage=usage)
                    yield delta

    def _refusal(self, ticket: Ticket, timeout: float) -> EngineOverloaded | None:
        """Return an EngineOverloaded where the queue is full or too slow."""
        running = [other.work for other in self._slots.running]
        queued = [other.work for other in self._slots.queue.ahead_of(ticket)]
        slots = self._limits.max_running
        if self.waiting >= self._limits.max_queued:
            # The queue has room as soon as one of the running requests ends.
            return self._overloaded(self._estimator.estimate_wait(running, (), slots))
        wait = self._estimator.estimate_wait(running, queued, slots)
        return self._overloaded(wait - timeout) if wait > timeout else None

    def _overloaded(self, seconds: float) -> EngineOverloaded:
        retry_after = max(LEAST_RETRY_SECONDS, seconds) * (1 + JITTER * self._chance())
        return EngineOverloaded(
            f"Model '{self.model.id}' has no free slot and its queue is full. "
            f"Try again in {retry_after:.1f} s.",
            retry_after,
        )

    def _record(self, ticket: Ticket, delta: TokenDelta) -> None:
        """Learn the speed of the engine; most deltas cost one addition."""
        work = ticket.work
        if work.generated_tokens == 0 and delta.token_ids:
            ticket.first_token_at = now = self._clock()
            self._estimator.record_prefill(work.prompt_tokens, now - ticket.admitted_at)
        work.generated_tokens += len(delta.token_ids)
        if delta.finish_reason is not None:
            decode_seconds = self._clock() - ticket.first_token_at
            self._estimator.record_answer(work.generated_tokens, decode_seconds)


def _ticket(request: GenerateRequest) -> Ticket:
    prompt = estimated_prompt_tokens(request) + len(request.emitted)
    work = PendingWork(prompt, max_output_tokens(request))
    return Ticket(request.caller, prompt + work.max_tokens, request.weight, work=work)

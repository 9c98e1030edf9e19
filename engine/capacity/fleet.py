"""Runs requests through many replicas, faster than their time, and says what came of it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import inf
from random import Random
from typing import Final

from engine.capacity.histogram import Histogram
from engine.capacity.replica import Done, Replica
from engine.capacity.workload import SEED, Request
from engine.simulated.device import Simulated

WARM_SHARE: Final = 0.05  # of the requests, while queues fill, are not counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Replicas that are alike; a request goes to the less busy of two that are drawn.

    So does Ray Serve's router. Nothing is refused, so that queues show in the latencies.
    """

    device: Simulated
    replicas: int
    slots: int
    max_model_len: int

    def replica(self) -> Replica:
        """Make one of them."""
        return Replica(self.device, slots=self.slots, max_model_len=self.max_model_len)


@dataclass(slots=True)
class Outcome:
    """Times in seconds, counted from the requests after the first ones.

    `tpot` is (last - first token) / (tokens - 1). `seconds` is from the first arrival to the last
    token, `held` the slots' seconds from first token to last, `busy` their share of all slots.
    """

    ttft: Histogram = field(default_factory=Histogram)
    tpot: Histogram = field(default_factory=Histogram)
    e2e: Histogram = field(default_factory=Histogram)
    requests: int = 0
    tokens: int = 0
    seconds: float = 0.0
    held: float = 0.0
    busy: float = 0.0

    @property
    def tokens_per_second(self) -> float:
        """Give the output tokens per second."""
        return self.tokens / self.seconds

    @property
    def requests_per_second(self) -> float:
        """Give the answers per second."""
        return self.requests / self.seconds

    def count(self, done: Done) -> None:
        """Take one answer in."""
        self.ttft.add(done.first - done.arrived)
        self.e2e.add(done.last - done.arrived)
        if done.tokens > 1:
            self.tpot.add((done.last - done.first) / (done.tokens - 1))


def run(fleet: Fleet, requests: Iterable[Request], expected: int) -> Outcome:
    """Let requests arrive in the order of their times; `expected` is about how many there are."""
    replicas = [fleet.replica() for _ in range(fleet.replicas)]
    chance, outcome = Random(SEED), Outcome()  # noqa: S311 - no secret
    warm, begin, start = int(WARM_SHARE * expected), inf, inf
    for number, (at, prompt, output) in enumerate(requests):
        if number == warm:
            begin = at
        start = min(start, at)
        chosen = _less_busy(replicas, chance, at)
        chosen.add(at, prompt, output)
        if chosen.done:
            _collect(chosen, outcome, begin)
    for one in replicas:
        one.advance(inf)
        _collect(one, outcome, begin)
    _account(outcome, fleet, replicas, start)
    return outcome


def _less_busy(replicas: list[Replica], chance: Random, at: float) -> Replica:
    one = replicas[int(chance.random() * len(replicas))]
    one.advance(at)
    if len(replicas) == 1:
        return one
    other = replicas[int(chance.random() * len(replicas))]
    other.advance(at)
    return other if other.open < one.open else one


def run_users(
    fleet: Fleet, users: int, lengths: Callable[[], tuple[int, int]], seconds: float
) -> Outcome:
    """Let users, shared out evenly, ask again as soon as they are answered, for so long.

    `lengths` draws the tokens of a prompt and of its answer. What is not whole by then is not
    counted.
    """
    replicas = [fleet.replica() for _ in range(fleet.replicas)]
    outcome = Outcome()
    for place, replica in enumerate(replicas):
        for _ in range(users // fleet.replicas + (place < users % fleet.replicas)):
            replica.add(0.0, *lengths())
        while replica.event() and replica.clock <= seconds:
            for done in replica.done:
                replica.add(done.last, *lengths())
            _collect(replica, outcome, 0.0)
    _account(outcome, fleet, replicas, 0.0)
    return outcome


def _collect(replica: Replica, outcome: Outcome, begin: float) -> None:
    """Take the answers out; those to requests from before `begin` count as throughput alone."""
    for done in replica.done:
        outcome.requests += 1
        outcome.tokens += done.tokens
        outcome.held += done.last - done.first
        if done.arrived >= begin:
            outcome.count(done)
    replica.done.clear()


def _account(outcome: Outcome, fleet: Fleet, replicas: list[Replica], start: float) -> None:
    outcome.seconds = max(one.clock for one in replicas) - start
    outcome.busy = outcome.held / (outcome.seconds * fleet.replicas * fleet.slots)

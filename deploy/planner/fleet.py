"""`Fleet`: replicas behind a router, and runs of requests through them, faster than real time."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import inf
from random import Random
from typing import Final

from deploy.planner.histogram import Histogram
from deploy.planner.replica import Finished, Replica
from deploy.planner.workload import SEED, Request
from engine import Simulated

WARM_UP_SHARE: Final = 0.05  # of the requests: they come while queues fill, and are not counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Equal replicas; a request goes to the less busy of two that are drawn, as with Ray Serve.

    Nothing is refused, so that queues show in the latencies.
    """

    device: Simulated
    replicas: int
    slots: int
    max_model_len: int

    def replica(self) -> Replica:
        """Return a new one of them."""
        return Replica(self.device, slots=self.slots, max_model_len=self.max_model_len)


@dataclass(slots=True)
class Outcome:
    """The latencies of a run in seconds, and its throughput.

    - `ttft`, `tpot`, `e2e`: of the requests after the warm-up. TPOT is the time from the first
      token to the last, divided by the tokens after the first.
    - `seconds`: from the first arrival to the last token.
    - `slot_seconds`: the sum of all times from first token to last, `busy` its share of all slots.
    """

    ttft: Histogram = field(default_factory=Histogram)
    tpot: Histogram = field(default_factory=Histogram)
    e2e: Histogram = field(default_factory=Histogram)
    requests: int = 0
    tokens: int = 0
    seconds: float = 0.0
    slot_seconds: float = 0.0
    busy: float = 0.0

    @property
    def tokens_per_second(self) -> float:
        """Output tokens per second."""
        return self.tokens / self.seconds

    @property
    def requests_per_second(self) -> float:
        """Completions per second."""
        return self.requests / self.seconds

    def add_latencies(self, request: Finished) -> None:
        """Add the latencies of one request."""
        self.ttft.add(request.first - request.arrived)
        self.e2e.add(request.last - request.arrived)
        if request.tokens > 1:
            self.tpot.add((request.last - request.first) / (request.tokens - 1))


def run(fleet: Fleet, requests: Iterable[Request], expected: int) -> Outcome:
    """Run requests, ordered by their arrival; `expected` is about how many there are."""
    replicas = [fleet.replica() for _ in range(fleet.replicas)]
    chance, outcome = Random(SEED), Outcome()  # noqa: S311 - no secret
    warm_up, counted_from, start = int(WARM_UP_SHARE * expected), inf, inf
    for number, (at, prompt, output) in enumerate(requests):
        if number == warm_up:
            counted_from = at
        start = min(start, at)
        chosen = _less_busy(replicas, chance, at)
        chosen.add(at, prompt, output)
        if chosen.finished:
            _collect(chosen, outcome, counted_from)
    for one in replicas:
        one.advance(inf)
        _collect(one, outcome, counted_from)
    _add_throughput(outcome, fleet, replicas, start)
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
    """Run users who ask again as soon as they are answered, spread evenly over the replicas.

    `lengths` draws the tokens of a prompt and of its completion. Only completions that end within
    `seconds` are counted.
    """
    replicas = [fleet.replica() for _ in range(fleet.replicas)]
    outcome = Outcome()
    for index, replica in enumerate(replicas):
        for _ in range(users // fleet.replicas + (index < users % fleet.replicas)):
            replica.add(0.0, *lengths())
        while replica.event() and replica.clock <= seconds:
            for request in replica.finished:
                replica.add(request.last, *lengths())
            _collect(replica, outcome, 0.0)
    _add_throughput(outcome, fleet, replicas, 0.0)
    return outcome


def _collect(replica: Replica, outcome: Outcome, counted_from: float) -> None:
    """Take finished requests; those that arrived before `counted_from` count as throughput only."""
    for request in replica.finished:
        outcome.requests += 1
        outcome.tokens += request.tokens
        outcome.slot_seconds += request.last - request.first
        if request.arrived >= counted_from:
            outcome.add_latencies(request)
    replica.finished.clear()


def _add_throughput(outcome: Outcome, fleet: Fleet, replicas: list[Replica], start: float) -> None:
    outcome.seconds = max(one.clock for one in replicas) - start
    outcome.busy = outcome.slot_seconds / (outcome.seconds * fleet.replicas * fleet.slots)

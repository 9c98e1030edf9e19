"""The order of the queue, by the clocks of its callers."""

from gateway.policies.fair_queue import FairQueue, Queued


def test_a_caller_who_comes_back_is_not_owed_the_time_it_was_away() -> None:
    queue: FairQueue[Queued] = FairQueue()
    for _ in range(10):
        queue.push(Queued("a", 10))
    for _ in range(5):
        queue.pop()
    for _ in range(5):
        queue.push(Queued("b", 10))
    order = [queue.pop().caller for _ in range(10)]
    assert order[:4].count("b") == 2


def test_what_was_not_served_is_not_paid_for() -> None:
    queue: FairQueue[Queued] = FairQueue()
    gone = [Queued("a", 4096) for _ in range(20)]
    for item in gone:
        queue.push(item)
    queue.push(Queued("b", 10))
    for item in gone:
        queue.remove(item)
    queue.push(Queued("a", 10))
    queue.push(Queued("b", 10))
    assert [queue.pop().caller for _ in range(3)] == ["b", "a", "b"]

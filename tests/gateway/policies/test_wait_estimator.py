"""What an engine's pace predicts, against sums done by hand."""

import pytest

from gateway.policies.wait_estimator import PendingWork, WaitEstimator


def learnt(*, step: float = 0.01, answer: int = 100, prefill: float = 0.5) -> WaitEstimator:
    pace = WaitEstimator()
    pace.prefilled(1000, prefill)
    pace.ended(answer, step * (answer - 1))
    return pace


def test_a_free_place_is_no_wait() -> None:
    assert learnt().wait([PendingWork(1000, 100)], [], places=2) == 0


def test_the_wait_is_what_the_next_to_end_has_left() -> None:
    running = [PendingWork(1000, 100, made=40), PendingWork(1000, 100, made=90)]
    assert learnt().wait(running, [], places=2) == pytest.approx(0.10)


def test_an_answer_longer_than_usual_is_expected_to_go_on_for_a_quarter_of_it() -> None:
    assert learnt().wait([PendingWork(1000, 500, made=120)], [], places=1) == pytest.approx(0.25)


def test_those_ahead_take_their_prefill_and_their_answer() -> None:
    running = [PendingWork(1000, 100, made=40)]
    ahead = [PendingWork(1000, 50)]
    assert learnt().wait(running, ahead, places=1) == pytest.approx(0.60 + 0.5 + 0.50)


def test_an_answer_is_expected_to_be_as_long_as_usual_and_not_as_its_limit() -> None:
    assert learnt(answer=20).wait([PendingWork(1000, 4000)], [], places=1) == pytest.approx(0.2)


def test_prefill_is_that_of_the_nearest_size() -> None:
    pace = learnt(prefill=0.5)
    pace.prefilled(30, 0.1)
    ahead = [PendingWork(40, 0)]
    assert pace.wait([PendingWork(1, 0)], ahead, places=1) == pytest.approx(0.1)
    assert pace.wait([PendingWork(1, 0)], [PendingWork(2000, 0)], places=1) == pytest.approx(0.5)


def test_an_engine_that_served_nothing_yet_promises_nothing() -> None:
    assert WaitEstimator().wait([PendingWork(10, 100)], [PendingWork(10, 100)], places=1) == 0


def test_the_newest_requests_count_most() -> None:
    pace = learnt(step=0.01)
    for _ in range(20):
        pace.ended(100, 0.05 * 99)
    assert pace.wait([PendingWork(10, 100)], [], places=1) == pytest.approx(5.0, rel=0.02)

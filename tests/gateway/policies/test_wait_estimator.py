"""The waits that are predicted, against sums done by hand."""

import pytest

from gateway.policies.wait_estimator import PendingWork, WaitEstimator


def trained(*, step: float = 0.01, answer: int = 100, prefill: float = 0.5) -> WaitEstimator:
    estimator = WaitEstimator()
    estimator.record_prefill(1000, prefill)
    estimator.record_answer(answer, step * (answer - 1))
    return estimator


def work(max_tokens: int, generated: int = 0, prompt: int = 1000) -> PendingWork:
    return PendingWork(prompt, max_tokens, generated)


def test_a_free_slot_is_no_wait() -> None:
    assert trained().estimate_wait([work(100)], [], slots=2) == 0


def test_the_wait_is_the_rest_of_the_request_that_ends_first() -> None:
    running = [work(100, generated=40), work(100, generated=90)]
    assert trained().estimate_wait(running, [], slots=2) == pytest.approx(0.10)


def test_an_answer_longer_than_usual_is_expected_to_continue_for_a_quarter_of_it() -> None:
    running = [work(500, generated=120)]
    assert trained().estimate_wait(running, [], slots=1) == pytest.approx(0.25)


def test_queued_requests_take_their_prefill_and_their_answer() -> None:
    wait = trained().estimate_wait([work(100, generated=40)], [work(50)], slots=1)
    assert wait == pytest.approx(0.60 + 0.5 + 0.50)


def test_an_answer_is_expected_to_be_as_long_as_usual_and_not_as_its_limit() -> None:
    wait = trained(answer=20).estimate_wait([work(4000)], [], slots=1)
    assert wait == pytest.approx(0.2)


@pytest.mark.parametrize(("prompt", "seconds"), [(40, 0.1), (2000, 0.5)])
def test_prefill_is_that_of_the_nearest_size(prompt: int, seconds: float) -> None:
    estimator = trained(prefill=0.5)
    estimator.record_prefill(30, 0.1)
    wait = estimator.estimate_wait([work(0)], [work(0, prompt=prompt)], slots=1)
    assert wait == pytest.approx(seconds)


def test_an_engine_that_served_nothing_yet_has_no_wait() -> None:
    assert WaitEstimator().estimate_wait([work(100)], [work(100)], slots=1) == 0


def test_the_newest_requests_weigh_most() -> None:
    estimator = trained(step=0.01)
    for _ in range(20):
        estimator.record_answer(100, 0.05 * 99)
    wait = estimator.estimate_wait([work(100)], [], slots=1)
    assert wait == pytest.approx(5.0, rel=0.02)

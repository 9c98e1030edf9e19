"""The statistics of reports, against samples whose answers are known."""

import pytest

from benchmarks.comparison.figures import (
    ABOVE_IDLE,
    OUTSIDE_ENGINE,
    Quantiles,
    Run,
    Spread,
    Timings,
    Usage,
    quantile,
    ratio,
)
from benchmarks.comparison.targets import Target


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([3, 1, 2], 0.5, 2),
        ([1, 2, 3, 4], 0.5, 2.5),
        (range(101), 0.99, 99),
        ([10, 20], 0.9, 19),
        ([7], 0.99, 7),
    ],
)
def test_a_quantile_is_interpolated(values: list[float], share: float, expected: float) -> None:
    assert quantile(values, share) == pytest.approx(expected)


def test_a_quantile_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing"):
        quantile([], 0.5)


def test_quantiles_are_milliseconds() -> None:
    assert Quantiles.of([0.001, 0.003]) == Quantiles(2.0, pytest.approx(2.8), pytest.approx(2.98))


def test_a_spread_is_written_as_median_and_range() -> None:
    assert format(Spread.of([4.0, 1.0, 9.0]), ".1f") == "4.0 (1.0 to 9.0)"


def test_ratios_are_of_pairs_of_runs() -> None:
    assert ratio([2, 9, 4], [1, 3, 4]) == Spread(2, 1, 3)


def test_figures_follow_from_timings_and_usage() -> None:
    times = Quantiles(1, 2, 3)
    timings = Timings(4, 2000, 10, times, times, times, client_cores=0.5, frames=3000)
    figures = Run("ours", "chat", 0, timings, Usage(cpu=8, outside=3, memory=100), 0.1).figures()
    assert figures["requests/s"] == 0.4
    assert figures["tokens/s"] == 200
    assert figures["chunks/s"] == 300
    assert figures["server CPU s per 1,000 tokens"] == 4
    assert figures[OUTSIDE_ENGINE] == 1.5
    assert figures[ABOVE_IDLE] == 1.0  # 0.1 of a core for 10 s was idle
    assert (figures["TTFT p50, ms"], figures["E2E p99, ms"]) == (1, 3)


@pytest.mark.parametrize(("median", "at_most", "met"), [(0.79, False, False), (0.8, False, True),
                                                         (0.81, True, False)])  # fmt: skip
def test_a_target_is_met_by_the_median_alone(median: float, at_most: bool, met: bool) -> None:
    target = Target("x", 0.8, Spread(median, 0, 2), at_most=at_most)
    assert target.met is met
    assert ("missed" in target.row()) is not met

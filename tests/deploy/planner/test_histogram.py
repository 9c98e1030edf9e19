"""Quantiles of a histogram."""

import pytest

from deploy.planner.histogram import Histogram


def test_a_quantile_is_within_a_percent() -> None:
    times = Histogram()
    for number in range(1, 1001):
        times.add(number / 1000)
    assert times.quantile(0.5) == pytest.approx(0.5, rel=0.01)
    assert times.quantile(0.99) == pytest.approx(0.99, rel=0.01)
    assert times.mean == pytest.approx(0.5005)

"""Published latencies and the lines fitted to them; what a profile does to a simulated device."""

import pytest
from pydantic import ValidationError

from engine import Simulated
from engine.simulated.profiles import PROFILES, Point, fit
from tests.generated.profiles import table


def test_a_line_is_that_of_least_squares() -> None:
    line = fit([Point(1, 2, True), Point(2, 3, True), Point(3, 7, True)])
    assert (line.base, line.slope) == (pytest.approx(-1.0), pytest.approx(2.5))


def test_one_point_is_a_line_through_the_origin() -> None:
    assert fit([Point(4, 8, True)]).at(10) == 20


def test_points_that_are_held_out_are_not_fitted() -> None:
    profile = PROFILES["inf2-tp8"]
    # By hand, of (1, 10), (8, 14), (32, 25): the slope is 252.67 / 529.33.
    assert profile.decode.slope == pytest.approx(0.4773, abs=1e-3)
    assert profile.decode.base == pytest.approx(9.81, abs=1e-2)


def test_what_is_held_out_is_within_a_seventh() -> None:
    assert all(abs(row.error) < 1 / 7 for row in table())


def test_a_profile_gives_the_latencies_that_are_left_out() -> None:
    device = Simulated(kind="simulated", profile="inf2-tp8", prefill_base_ms=7)
    assert device.decode_seconds(48) == pytest.approx(0.0327, abs=1e-4)
    assert device.prefill_seconds(4096, (4096,)) == pytest.approx(0.307)


def test_an_unknown_profile_is_refused_by_name() -> None:
    with pytest.raises(ValidationError, match="inf2-tp8"):
        Simulated.model_validate({"kind": "simulated", "profile": "inf2-tp3"})

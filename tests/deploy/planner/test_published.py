"""Servers under load as others measured them, and the simulation of the same load."""

import pytest

from deploy.planner.published import PUBLISHED, simulated


def test_delivered_tokens_are_within_a_tenth_of_what_others_saw_on_eight_cores() -> None:
    for row in (one for one in PUBLISHED if one.profile == "inf2-tp8"):
        assert simulated(row).tokens_per_second == pytest.approx(row.tokens, rel=0.1), row.load

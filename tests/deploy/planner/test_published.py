"""Servers under load as others measured them, and the simulation of the same load."""

from pathlib import Path

import pytest

from deploy.planner.published import PUBLISHED, markdown, simulated

README = Path(__file__).parents[3] / "deploy" / "planner" / "README.md"


def test_delivered_tokens_are_within_a_tenth_of_what_others_saw_on_eight_cores() -> None:
    for row in (one for one in PUBLISHED if one.profile == "inf2-tp8"):
        assert simulated(row).tokens_per_second == pytest.approx(row.tokens, rel=0.1), row.load


def test_the_readme_has_the_comparison() -> None:
    assert markdown() in README.read_text("utf-8")

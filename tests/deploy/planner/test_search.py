"""The search for the cheapest fleet, its SLO and its price."""

import pytest

from deploy.planner import PlanError, Slo, cheapest, find_shape, placements, simulate
from tests.deploy.planner.examples import LLAMA, USUAL, option


def test_dollars_per_million_tokens_are_as_by_hand() -> None:
    placement = option("inf2.48xlarge", 8, 32)
    load = USUAL.model_copy(update={"requests_per_second": 4})
    (choice,) = cheapest([placement], load, Slo(ttft=5), fixed=32, report=lambda _: None)
    # 4 requests of 250 tokens a second for 12.98127 dollars an hour.
    assert choice.instances == 1
    assert choice.dollars_per_million == pytest.approx(12.98127 / 3600 / 1000 * 1e6, rel=0.01)


def test_the_cheapest_fleet_is_the_smallest_that_meets_the_slo() -> None:
    load = USUAL.model_copy(update={"requests_per_second": 20})
    slo, placement = Slo.parse("ttft=2s,tpot=80ms"), option("inf2.48xlarge", 8, 32)
    (choice,) = cheapest([placement], load, slo, fixed=32, report=lambda _: None)
    assert slo.is_met(simulate(placement, choice.instances, load, 1))
    assert not slo.is_met(simulate(placement, choice.instances - 1, load, 1))


def test_an_slo_that_nothing_meets_is_refused_with_the_fastest() -> None:
    options = list(placements(find_shape(LLAMA), length=4096))
    with pytest.raises(PlanError, match=r"ms for a token when nothing else runs. Relax --slo"):
        cheapest(options, USUAL, Slo.parse("tpot=1ms"), fixed=None, report=lambda _: None)


@pytest.mark.parametrize("text", ["ttft", "ttft=2", "speed=2s", "ttft=-1s"])
def test_an_slo_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(PlanError, match="such as ttft=2s,tpot=80ms"):
        Slo.parse(text)

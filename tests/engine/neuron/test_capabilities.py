"""The table of capabilities is the one that refuses."""

import pytest

from engine import HINTS
from engine.neuron.capabilities import CAPABILITIES, Sampling, unsupported
from engine.types import SamplingParams


def test_every_parameter_has_a_row() -> None:
    rows = {capability.parameter for capability in CAPABILITIES}
    assert rows == set(SamplingParams.__dataclass_fields__)


@pytest.mark.parametrize("sampling", ["on_device", "cpu"])
def test_what_the_table_calls_refused_is_refused(sampling: Sampling) -> None:
    refused = {c.parameter for c in CAPABILITIES if c.outcome(sampling).startswith("refused")}
    ignored = {c.parameter for c in CAPABILITIES if c.outcome(sampling).startswith("ignored")}
    assert refused == unsupported(sampling) - HINTS
    assert ignored == unsupported(sampling) & HINTS

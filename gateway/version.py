"""The version of this gateway, from its installed distribution."""

from importlib.metadata import PackageNotFoundError, version
from typing import Final


def _installed() -> str:
    try:
        return version("neuron-gateway")
    except PackageNotFoundError:
        return "unknown (not installed)"


VERSION: Final = _installed()

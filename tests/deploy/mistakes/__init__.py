"""Deliberate mistakes in the manifests, each of which a check must find."""

from collections.abc import Callable
from typing import Final

from tests.deploy.mistakes import of_the_cluster, of_the_service
from tests.deploy.mistakes.manifests import Manifests

Mistake = Callable[[Manifests], None]

MISTAKES: Final[list[Mistake]] = [
    found
    for module in (of_the_service, of_the_cluster)
    for found in vars(module).values()
    if getattr(found, "__annotations__", {}).get("m") is Manifests
]
__all__ = ["MISTAKES", "Manifests", "Mistake"]

"""What is looked for in rendered manifests; each file is one kind of mistake.

`findings(documents)` of each gives a sentence for every mistake, and nothing for a clean render.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from tests.deploy.checks import (
    autoscaler,
    core_kinds,
    custom_kinds,
    nodes,
    pods,
    ray_service,
    references,
    serve_config,
)
from tests.deploy.checks.manifests import Document

CHECKS: Final[dict[str, Callable[[Sequence[Document]], Iterator[str]]]] = {
    "core kinds": core_kinds.findings,
    "custom kinds": custom_kinds.findings,
    "RayService rules": ray_service.findings,
    "Serve config": serve_config.findings,
    "autoscaler's view": autoscaler.findings,
    "nodes": nodes.findings,
    "pods": pods.findings,
    "references": references.findings,
}


def findings(documents: Sequence[Document]) -> list[str]:
    """Run every check; gives each finding with the name of its check."""
    return [f"{name}: {text}" for name, check in CHECKS.items() for text in check(documents)]

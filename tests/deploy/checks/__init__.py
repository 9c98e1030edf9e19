"""Checks of rendered manifests; each module finds one kind of mistake.

`findings(documents)` of each yields a message for every mistake.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from tests.deploy.checks import (
    autoscaler,
    components,
    entrances,
    jobs,
    karpenter,
    monitoring,
    network,
    nodes,
    paths,
    pods,
    ray_service,
    references,
    serve_config,
)
from tests.deploy.checks.kinds import core, custom
from tests.deploy.checks.manifests import Document

CHECKS: Final[dict[str, Callable[[Sequence[Document]], Iterator[str]]]] = {
    "core kinds": core.findings,
    "custom kinds": custom.findings,
    "components": components.findings,
    "entrances": entrances.findings,
    "jobs": jobs.findings,
    "RayService rules": ray_service.findings,
    "Serve config": serve_config.findings,
    "autoscaler's view": autoscaler.findings,
    "Karpenter": karpenter.findings,
    "monitoring": monitoring.findings,
    "network": network.findings,
    "nodes": nodes.findings,
    "paths": paths.findings,
    "pods": pods.findings,
    "references": references.findings,
}


def findings(documents: Sequence[Document]) -> list[str]:
    """Run every check; return each finding with the name of its check."""
    return [f"{name}: {text}" for name, check in CHECKS.items() for text in check(documents)]

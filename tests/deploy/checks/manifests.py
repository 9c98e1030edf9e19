"""Manifests: rendering with kustomize, documents, pod templates and quantities."""

import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from tests.tools import require_tool

Document = dict[str, Any]

ROOT: Final = Path(__file__).parents[3]
DEPLOY: Final = ROOT / "deploy"
# The NeuronCores of a worker, by the overlay.
ON_NEURON: Final = {
    "inf2-8xlarge": 2,
    "inf2-24xlarge": 12,
    "inf2-48xlarge": 24,
    "inf2-48xlarge-70b": 24,
    "trn1-32xlarge": 32,
}
OVERLAYS: Final = (*ON_NEURON, "cpu")
NEURON: Final = "aws.amazon.com/neuron"
CORES_PER_DEVICE: Final = 2

_QUANTITY: Final = re.compile(r"([+-]?(?:\d+(?:\.\d*)?|\.\d+))(n|u|m|k|M|G|T|P|E|[KMGTPE]i)?")
_UNIT: Final = {"n": 1e-9, "u": 1e-6, "m": 1e-3} | {
    letter + suffix: float(base ** (power + 1))
    for power, letters in enumerate(("kK", "M", "G", "T", "P", "E"))
    for letter in letters
    for suffix, base in (("", 1000), ("i", 1024))
}


@cache
def pins() -> dict[str, str]:
    """Return the versions of deploy/versions.env."""
    lines = (DEPLOY / "versions.env").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


@cache
def rendered(folder: str) -> str:
    """Render a kustomization under deploy/, as `kubectl kustomize` does."""
    kubectl = require_tool("kubectl")
    done = subprocess.run(
        [kubectl, "kustomize", str(DEPLOY / folder)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def documents(text: str) -> list[Document]:
    """Read every document of a YAML stream."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [found for found in yaml.load_all(text, Loader=loader) if found]


def overlay(name: str) -> list[Document]:
    """Return the documents of an overlay and of the node pools."""
    return documents(rendered(f"k8s/overlays/{name}")) + documents(rendered("karpenter"))


def of_kind(found: Sequence[Document], kind: str) -> Iterator[Document]:
    """Yield the documents of one kind."""
    return (document for document in found if document.get("kind") == kind)


def name_of(document: Document) -> str:
    """Return the name of a document as kubectl prints it."""
    return f"{document.get('kind')}/{document.get('metadata', {}).get('name')}"


def quantity(text: object) -> float:
    """Return the value of a quantity: 500m is 0.5. Raises ValueError if it is none."""
    match = _QUANTITY.fullmatch(str(text))
    if match is None:
        raise ValueError(f"{text!r} is not a quantity")
    return float(match[1]) * _UNIT.get(match[2] or "", 1.0)


def amount(text: object) -> float:
    """Return the same, and 0 for what is no quantity, which `kinds.core` finds."""
    return quantity(text) if _QUANTITY.fullmatch(str(text)) else 0.0


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod template, its owner, and the fewest pods that are made of it."""

    owner: str
    metadata: Document
    spec: Document
    fewest: int = 1

    @property
    def containers(self) -> list[Document]:
        """Return its containers, init containers included."""
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    @property
    def labels(self) -> dict[str, str]:
        """Return its labels."""
        return dict(self.metadata.get("labels", {}))

    def amount(self, resource: str, of: str = "requests") -> float:
        """Return what the scheduler counts: the largest init container or the sum of the others."""
        begun = [_amount(each, of, resource) for each in self.spec.get("initContainers", [])]
        return max([*begun, sum(_amount(each, of, resource) for each in self.spec["containers"])])


def _amount(container: Document, of: str, resource: str) -> float:
    return amount(container.get("resources", {}).get(of, {}).get(resource, 0))


def pods(found: Sequence[Document]) -> Iterator[Pod]:
    """Yield every pod template, those inside a RayService included."""
    for document in found:
        for where, template, fewest in _templates(document):
            owner = f"{name_of(document)}{where}"
            yield Pod(owner, template.get("metadata", {}), template["spec"], fewest)


def _templates(document: Document) -> Iterator[tuple[str, Document, int]]:
    spec = document.get("spec", {})
    match document.get("kind"):
        case "Deployment" | "StatefulSet" | "DaemonSet" | "Job":
            yield "", spec["template"], spec.get("replicas", 1)
        case "CronJob":
            yield "", spec["jobTemplate"]["spec"]["template"], 1
        case "RayService":
            cluster = spec["rayClusterConfig"]
            yield " head", cluster["headGroupSpec"]["template"], 1
            for group in cluster.get("workerGroupSpecs", []):
                yield f" {group['groupName']}", group["template"], group["minReplicas"]

"""`Manifests`: a copy of an overlay, in which mistakes are made."""

import copy
from collections.abc import Sequence
from typing import Any

from tests.deploy.checks.manifests import DEPLOY, Document, documents, of_kind


class Manifests:
    """A copy of an overlay, and the parts of it in which mistakes are made."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self.documents = copy.deepcopy(list(documents))
        (self.service,) = of_kind(self.documents, "RayService")
        self.spec: dict[str, Any] = self.service["spec"]
        self.cluster = self.spec["rayClusterConfig"]
        self.head = self.cluster["headGroupSpec"]
        (self.group,) = self.cluster["workerGroupSpecs"]
        self.pod = self.group["template"]["spec"]
        self.worker = self.pod["containers"][0]

    def named(self, kind: str, name: str) -> Document:
        (found,) = (d for d in of_kind(self.documents, kind) if d["metadata"]["name"] == name)
        return found

    def budget(self) -> dict[str, Any]:
        """Add the component `worker-budget`, and return the budget's spec."""
        file = DEPLOY / "k8s" / "components" / "worker-budget" / "budget.yaml"
        (budget,) = documents(file.read_text("utf-8"))
        budget["metadata"]["namespace"] = "neuron-gateway"
        self.documents.append(budget)
        self.group["minReplicas"] = self.group["replicas"] = 2
        spec: dict[str, Any] = budget["spec"]
        return spec

    def disk(self) -> dict[str, Any]:
        """Return the disk of the nodes."""
        disks: list[dict[str, Any]] = self.named("EC2NodeClass", "neuron")["spec"][
            "blockDeviceMappings"
        ]
        return disks[0]

    def serve(self, old: str, new: str) -> None:
        """Change the Serve config."""
        assert old in self.spec["serveConfigV2"]
        self.spec["serveConfigV2"] = self.spec["serveConfigV2"].replace(old, new, 1)

    def give(self, name: str, amount: str) -> None:
        """Change the resources of the worker."""
        for part in ("requests", "limits"):
            self.worker["resources"][part][name] = amount

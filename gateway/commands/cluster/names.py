"""The names that the manifests of `deploy/` expect in a cluster."""

from dataclasses import dataclass
from typing import Final

NAMESPACE: Final = "neuron-gateway"
OPERATOR_NAMESPACE: Final = "kuberay-operator"  # which the network policies admit
NEURON: Final = "aws.amazon.com/neuron"  # the device plugin's resource, and the taint of its nodes
POOL_LABEL: Final = "karpenter.sh/nodepool"
SIZE_LABEL: Final = "karpenter.k8s.aws/instance-size"
MODEL_STORE_KEYS: Final = ("bucket", "region")


@dataclass(frozen=True, slots=True)
class Pool:
    """Nodes that pods select by their label: who uses them, and the one taint that is tolerated."""

    name: str
    user: str
    taint: str | None = None


CPU: Final = Pool("cpu", "Ray's head, the web chat and the jobs")
INF2: Final = Pool("inf2", "workers on inf2", NEURON)
TRN1: Final = Pool("trn1", "workers on trn1", NEURON)
COMPILE: Final = Pool("compile", "precompile-offline alone", "neuron-gateway/compile")


def pool_of(family: str) -> Pool:
    """Return the pool of a family of instances: inf2, trn1 or trn1n."""
    return INF2 if family == INF2.name else TRN1

"""`ClusterOfFiles`: what a stand-in for kubectl answers, beginning with a cluster that has all."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
SHIMS = Path(__file__).parent / "shims"
NODE_POOLS = [
    each
    for file in sorted((ROOT / "deploy" / "karpenter").glob("*.yaml"))
    for each in yaml.safe_load_all(file.read_text("utf-8"))
    if each["kind"] == "NodePool"
]
NEURON_TAINT = {"key": "aws.amazon.com/neuron", "value": "true", "effect": "NoSchedule"}


def node(name: str, *, devices: int = 0, taints: Any = (), **labels: str) -> dict[str, Any]:
    """Return a node; `labels` are the pool, the size and the type."""
    keys = {
        "pool": "karpenter.sh/nodepool",
        "size": "karpenter.k8s.aws/instance-size",
        "type": "node.kubernetes.io/instance-type",
    }
    allocatable = {"cpu": "31", **({"aws.amazon.com/neuron": str(devices)} if devices else {})}
    return {
        "metadata": {"name": name, "labels": {keys[key]: text for key, text in labels.items()}},
        "spec": {"taints": list(taints)},
        "status": {"allocatable": allocatable},
    }


def workload(name: str, namespace: str, image: str, *args: str, **status: Any) -> dict[str, Any]:
    """Return a Deployment or DaemonSet of one container."""
    containers = [{"name": name, "image": image, "args": list(args)}]
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"template": {"spec": {"containers": containers}}},
        "status": status,
    }


def operator(tag: str = ":v1.7.0", namespace: str = "kuberay-operator", ready: int = 1) -> Any:
    """Return KubeRay's Deployment."""
    image = f"quay.io/kuberay/operator{tag}"
    return workload("kuberay-operator", namespace, image, availableReplicas=ready)


def crd(**fields: Any) -> dict[str, Any]:
    """Return the CRD of RayServices, with these fields of a Ray cluster and of its workers."""
    group = {"items": {"properties": fields.get("workers", {"resources": {}})}}
    ray = {"workerGroupSpecs": group, **fields.get("cluster", {"authOptions": {}})}
    schema = {"properties": {"spec": {"properties": {"rayClusterConfig": {"properties": ray}}}}}
    versions = [
        {"name": "v1alpha1", "schema": {}},
        {"name": "v1", "schema": {"openAPIV3Schema": schema}},
    ]
    return {"metadata": {"name": "rayservices.ray.io"}, "spec": {"versions": versions}}


def daemons() -> list[dict[str, Any]]:
    """Return the DaemonSets that a cluster of `deploy/terraform` has."""
    policies = ("--enable-ipv6=false", "--enable-network-policy=true")
    registry = "602401143452.dkr.ecr.us-west-2.amazonaws.com"
    plugin = "public.ecr.aws/neuron/neuron-device-plugin:2.28.0"
    scheduled = {"desiredNumberScheduled": 1, "numberReady": 1}
    return [
        workload("aws-node", "kube-system", f"{registry}/aws-network-policy-agent:v1", *policies),
        workload("eks-pod-identity-agent", "kube-system", f"{registry}/eks-pod-identity-agent:v1"),
        workload("neuron-device-plugin", "kube-system", plugin, **scheduled),
    ]


def storage_class(name: str = "gp3", default: str = "true") -> dict[str, Any]:
    """Return a storage class."""
    mark = {"storageclass.kubernetes.io/is-default-class": default}
    return {"metadata": {"name": name, "annotations": mark}}


def ready(pool: dict[str, Any]) -> dict[str, Any]:
    """Return a NodePool as Karpenter reports one that can add nodes."""
    return pool | {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}


@dataclass(frozen=True)
class ClusterOfFiles:
    """A cluster as a folder of the answers of kubectl."""

    folder: Path

    @classmethod
    def with_everything(cls, folder: Path) -> "ClusterOfFiles":
        """Return a cluster that lacks nothing."""
        cluster = cls(folder)
        version = {"major": "1", "minor": "35+", "gitVersion": "v1.35.2-eks-1a2b3c4"}
        cluster.answer("version", {"serverVersion": version})
        (folder / "context.json").write_text("mine\n")
        cluster.answer("customresourcedefinition.rayservices.ray.io", crd())
        cluster.items("deployments", operator())
        cluster.items("nodepools.karpenter.sh", *map(ready, NODE_POOLS))
        worker = node(
            "ip-10-0-1-2", devices=1, taints=[NEURON_TAINT], pool="inf2", size="8xlarge",
            type="inf2.8xlarge",
        )  # fmt: skip
        cluster.items("nodes", worker, node("ip-10-0-1-3", pool="cpu"))
        cluster.items("daemonsets", *daemons())
        cluster.items("storageclasses", storage_class("gp2", "false"), storage_class())
        for named in ("namespace.neuron-gateway", "secret.gateway-keys", "secret.hf-token"):
            (folder / f"{named}.json").write_text(f"{named.partition('.')[2]}   1d\n")
        store = {"bucket": "weights-of-mine", "region": "us-west-2"}
        cluster.answer("configmap.model-store", {"data": store})
        return cluster

    def answer(self, name: str, value: Any) -> None:
        """Set what kubectl prints for a kind, or for KIND.NAME."""
        (self.folder / f"{name}.json").write_text(json.dumps(value))

    def items(self, kind: str, *objects: Any) -> None:
        """Set the objects of a kind."""
        self.answer(kind, {"items": objects})

    def fail(self, name: str, error: str) -> None:
        """Set what kubectl prints on standard error for a kind, or for KIND.NAME."""
        (self.folder / f"{name}.error").write_text(error + "\n")

    def forbid(self, name: str) -> None:
        """Refuse a kind, or KIND.NAME, as the API server does."""
        kind = name.partition(".")[0]
        self.fail(
            name,
            f'Error from server (Forbidden): {kind} is forbidden: User "someone" cannot list '
            f'resource "{kind}" in API group "" at the cluster scope',
        )

    def remove(self, name: str) -> None:
        """Remove what kubectl prints for a kind, or for KIND.NAME."""
        (self.folder / f"{name}.json").unlink()

    @property
    def calls(self) -> list[str]:
        """The arguments of each call of kubectl."""
        return (self.folder / "calls").read_text().splitlines()

    @property
    def variables(self) -> dict[str, str]:
        """The environment in which the stand-in is kubectl."""
        return {"PATH": f"{SHIMS}:/usr/bin:/bin", "CLUSTER_FOLDER": str(self.folder)}

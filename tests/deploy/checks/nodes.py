"""Pods and the nodes that they are to run on: selectors, taints, sizes, Neuron devices."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from engine.neuron import INSTANCES
from tests.deploy.checks.manifests import (
    CORES_PER_DEVICE,
    NEURON,
    Document,
    Pod,
    amount,
    name_of,
    of_kind,
    pods,
)

POOL: Final = "karpenter.sh/nodepool"
SIZE: Final = "karpenter.k8s.aws/instance-size"
FAMILY: Final = "karpenter.k8s.aws/instance-family"
_OWN: Final = (POOL, SIZE)  # any other label is of another template
_MiB, _GiB = 2**20, 2**30
IMAGE: Final = 30 * _GiB  # of a disk: the node itself, and an image of 10 GB, packed and unpacked
DAEMONS: Final = (1.5, 2 * _GiB)  # CPUs and bytes for the DaemonSets of a node
# CPUs and bytes of a pool's nodes: the smallest of `cpu`, which pods share, and the largest of
# `compile`, where Karpenter takes a node for a job.
NODES: Final = {"cpu": (4, 15_000 * _MiB), "compile": (64, 460 * _GiB)}


@dataclass(frozen=True, slots=True)
class Node:
    """What a node can give to pods: CPUs, bytes, Neuron devices."""

    cpus: float
    memory: float
    devices: int


def allocatable(instance: str, max_pods: int) -> Node:
    """Return the capacity that Karpenter 1.14 computes for an instance."""
    size = INSTANCES[instance]
    kept = (11 * max_pods + 255 + 100) * _MiB
    memory = size.host_gib * _GiB * 0.925 - kept
    return Node(size.vcpus - 0.4, memory, size.cores // CORES_PER_DEVICE)


def findings(documents: Sequence[Document]) -> Iterator[str]:
    """Yield pods that would stay Pending."""
    pools = {pool["metadata"]["name"]: pool for pool in of_kind(documents, "NodePool")}
    classes = {each["metadata"]["name"]: each for each in of_kind(documents, "EC2NodeClass")}
    for pod in pods(documents):
        selector = pod.spec.get("nodeSelector", {})
        yield from (f"{pod.owner}: no node has {key}" for key in selector if key not in _OWN)
        yield from _devices(pod)
        if POOL in selector and selector[POOL] not in pools:
            yield f"{pod.owner}: no NodePool is called {selector[POOL]}"
        elif POOL in selector:
            yield from _on_pool(pod, pools[selector[POOL]], classes)


def _devices(pod: Pod) -> Iterator[str]:
    for container in pod.containers:
        limits = container.get("resources", {}).get("limits", {})
        wrong = [name for name in limits if name.startswith("aws.amazon.com/") and name != NEURON]
        yield from (
            f"{pod.owner}: the device plugin's resource is {NEURON}, not {n}" for n in wrong
        )
        if limits.get(NEURON) != container.get("resources", {}).get("requests", {}).get(NEURON):
            yield f"{pod.owner}: request and limit of {NEURON} differ"
    if pod.amount(NEURON) and POOL not in pod.spec.get("nodeSelector", {}):
        yield f"{pod.owner}: it wants Neuron devices and selects no pool"
    if "schedulerName" in pod.spec:
        yield f"{pod.owner}: {pod.spec['schedulerName']} is no scheduler of this cluster"


def _on_pool(pod: Pod, pool: Document, classes: dict[str, Document]) -> Iterator[str]:
    template = pool["spec"]["template"]["spec"]
    for taint in template.get("taints", []):
        if not any(_tolerates(each, taint) for each in pod.spec.get("tolerations", [])):
            yield f"{pod.owner}: it does not tolerate {taint['key']} of {name_of(pool)}"
    allowed = {each["key"]: each.get("values", []) for each in template["requirements"]}
    size = pod.spec["nodeSelector"].get(SIZE)
    if size is not None and size not in allowed.get(SIZE, []):
        yield f"{pod.owner}: pool {pool['metadata']['name']} has no {size}"
        return
    node_class = classes.get(template["nodeClassRef"]["name"])
    if node_class is None:
        return  # `karpenter` finds that
    yield from _disk_problems(pod, node_class)
    max_pods = node_class["spec"].get("kubelet", {}).get("maxPods")
    node = Node(*NODES.get(pool["metadata"]["name"], NODES["cpu"]), 0)
    if size is not None:
        node = allocatable(f"{allowed[FAMILY][0]}.{size}", max_pods or 737)
    yield from _capacity_problems(pod, node, whole=size is not None)


def _tolerates(toleration: dict[str, Any], taint: dict[str, Any]) -> bool:
    return (
        toleration.get("key") in (None, taint["key"])
        and toleration.get("effect") in (None, taint["effect"])
        and (
            toleration.get("operator") == "Exists" or toleration.get("value") == taint.get("value")
        )
    )


def _disk_problems(pod: Pod, node_class: Document) -> Iterator[str]:
    """Yield volumes that would fill the node's disk, which evicts its pods."""
    (mapping,) = node_class["spec"]["blockDeviceMappings"]
    room = amount(mapping["ebs"]["volumeSize"]) - IMAGE
    volumes = [volume.get("emptyDir", {}) for volume in pod.spec.get("volumes", [])]
    wanted = sum(amount(v.get("sizeLimit", 0)) for v in volumes if v.get("medium") != "Memory")
    if wanted > room:
        yield f"{pod.owner}: volumes of {wanted / _GiB:.0f} GiB, and the disk has {room / _GiB:.0f}"


def _capacity_problems(pod: Pod, node: Node, *, whole: bool) -> Iterator[str]:
    cpus, memory = node.cpus - DAEMONS[0] * whole, node.memory - DAEMONS[1] * whole
    if pod.amount("cpu") > cpus:
        yield f"{pod.owner}: {pod.amount('cpu'):g} CPUs, and a node has {cpus:.1f}"
    if pod.amount("memory") > memory:
        yield f"{pod.owner}: {pod.amount('memory') / _GiB:.0f} GiB of {memory / _GiB:.1f}"
    if pod.amount(NEURON) and pod.amount(NEURON) != node.devices:
        yield f"{pod.owner}: {pod.amount(NEURON):g} of a node's {node.devices} devices; take all"
    shared = [v["emptyDir"] for v in pod.spec.get("volumes", []) if "emptyDir" in v]
    in_memory = sum(amount(v.get("sizeLimit", 0)) for v in shared if v.get("medium") == "Memory")
    if in_memory > pod.amount("memory", "limits") / 2:
        yield f"{pod.owner}: volumes in memory may take half of what the pod may use"

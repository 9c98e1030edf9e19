"""Nodes: the pools that pods select, the Neuron devices, and whether an instance type fits."""

from collections.abc import Iterator, Sequence
from typing import Final

from engine import Finding
from gateway.commands.cluster.cluster import Cluster, called
from gateway.commands.cluster.kubectl import Object
from gateway.commands.cluster.names import (
    COMPILE,
    CPU,
    INF2,
    NEURON,
    POOL_LABEL,
    SIZE_LABEL,
    TRN1,
    Pool,
    pool_of,
)
from gateway.commands.cluster.requirements import allows, limit

SHOWN: Final = 3  # names of nodes in one finding
# Those that Kubernetes, Karpenter and clouds set for a while, by the beginnings of their keys.
_PASSING: Final = ("node.kubernetes.io/", "node.cloudprovider.kubernetes.io/", "karpenter.sh/")
_POOLS: Final = (
    "Set CLUSTER in deploy/karpenter/cluster.env, then: kubectl apply -k deploy/karpenter"
)


def pools(cluster: Cluster) -> Iterator[Finding]:
    """Yield each pool that pods select: a NodePool of Karpenter, or nodes with its label."""
    if not cluster.wants_neuron:
        return
    yield _pool(cluster, CPU)
    for pool in _neuron_pools(cluster):
        yield _pool(cluster, pool)
    yield _pool(cluster, COMPILE)


def _neuron_pools(cluster: Cluster) -> list[Pool]:
    """Return the pools of the wanted instances; without any, those that are there, or inf2."""
    families = {instance.family for instance in cluster.instance_types}
    wanted = {pool_of(family).name: pool_of(family) for family in sorted(families)}
    there = [each for each in (INF2, TRN1) if _is_there(cluster, each)]
    return list(wanted.values()) or there or [INF2]


def _is_there(cluster: Cluster, pool: Pool) -> bool:
    return pool.name in cluster.node_pools or bool(_nodes_of(cluster, pool))


def _nodes_of(cluster: Cluster, pool: Pool) -> list[Object]:
    return [node for node in cluster.nodes if _labels(node).get(POOL_LABEL) == pool.name]


def _labels(node: Object) -> dict[str, str]:
    return node["metadata"].get("labels") or {}


def _pool(cluster: Cluster, pool: Pool) -> Finding:
    title, label = f"pool {pool.name}", f"{POOL_LABEL}={pool.name}"
    karpenters, nodes = cluster.node_pools.get(pool.name), _nodes_of(cluster, pool)
    if karpenters is None and not nodes:
        return Finding(
            title, "warning" if pool is COMPILE else "error",
            f"no NodePool and no node with {label}, for {pool.user}",
            f"{_POOLS}; or: kubectl label node NODE {label}",
        )  # fmt: skip
    if (problem := _not_ready(karpenters)) is not None:
        fix = f"kubectl describe nodepool {pool.name}, and its EC2NodeClass"
        return Finding(title, "error", problem, fix)
    if taints := _foreign_taints(pool, karpenters, nodes):
        return Finding(
            title, "error", f"taint {', '.join(taints)}, which {pool.user} do not tolerate",
            "Remove the taint, or add a toleration to the overlay.",
        )  # fmt: skip
    kind = "nodes with the label" if karpenters is None else "NodePool, nodes now"
    return Finding(title, "ok", f"{kind}: {len(nodes)}")


def _not_ready(pool: Object | None) -> str | None:
    """Return the message of the condition that keeps a NodePool from adding nodes."""
    conditions = (pool or {}).get("status", {}).get("conditions", [])
    false = [each for each in conditions if each["status"] == "False"]
    if not any(each["type"] == "Ready" for each in false):
        return None
    messages = [f"{each['type']}: {each['message']}" for each in false if each.get("message")]
    return "not ready" + "".join(f"; {message}" for message in messages)


def _foreign_taints(pool: Pool, karpenters: Object | None, nodes: Sequence[Object]) -> list[str]:
    """Return the keys of taints that keep the pool's pods away."""
    taints = [taint for node in nodes for taint in node["spec"].get("taints", [])]
    if karpenters is not None:
        taints += karpenters["spec"]["template"]["spec"].get("taints", [])
    return sorted({taint["key"] for taint in taints if _keeps_away(pool, taint)})


def _keeps_away(pool: Pool, taint: Object) -> bool:
    if taint["key"].startswith(_PASSING) or taint["effect"] == "PreferNoSchedule":
        return False
    return (taint["key"], taint["effect"]) != (pool.taint, "NoSchedule")


def neuron_nodes(cluster: Cluster) -> Iterator[Finding]:
    """Yield whether the Neuron nodes offer their devices, and keep other pods away."""
    title = "Neuron nodes"
    if not cluster.wants_neuron:
        return
    nodes = [node for node in cluster.nodes if _is_neuron(node)]
    if not nodes:
        yield _no_neuron_node(cluster, title)
        return
    broken = [node for node in nodes if not devices(node)]
    if broken:
        yield Finding(
            title, "error", f"no {NEURON} on {_names(broken)}",
            "The node needs AWS's Neuron AMI, or the driver, and the device plugin's pod: "
            "kubectl describe node NAME",
        )  # fmt: skip
    untainted = [node for node in nodes if not _is_tainted(node)]
    if untainted:
        yield Finding(
            title, "warning", f"no taint on {_names(untainted)}: other pods take their CPUs",
            f"kubectl taint node NAME {NEURON}=true:NoSchedule",
        )  # fmt: skip
    if not broken and not untainted:
        offered = sum(devices(node) for node in nodes)
        yield Finding(title, "ok", f"{len(nodes)} with {offered} devices")


def _no_neuron_node(cluster: Cluster, title: str) -> Finding:
    if INF2.name in cluster.node_pools or TRN1.name in cluster.node_pools:
        return Finding(title, "ok", "none now; Karpenter adds one for a worker")
    fix = f"Add nodes of inf2 or trn1 with AWS's Neuron AMI, or node pools. {_POOLS}"
    return Finding(title, "error", f"no node offers {NEURON}", fix)


def _is_neuron(node: Object) -> bool:
    """Return whether a node has Neuron devices, or should have."""
    family = _labels(node).get("node.kubernetes.io/instance-type", "").partition(".")[0]
    pool = _labels(node).get(POOL_LABEL)
    return bool(devices(node)) or family.startswith(("inf", "trn")) or pool in ("inf2", "trn1")


def _is_tainted(node: Object) -> bool:
    return any(taint["key"] == NEURON for taint in node["spec"].get("taints", []))


def devices(node: Object) -> int:
    """Return the Neuron devices that a node offers to pods."""
    return int(node.get("status", {}).get("allocatable", {}).get(NEURON, 0))


def _names(nodes: Sequence[Object]) -> str:
    rest = f" and {len(nodes) - SHOWN} more" if len(nodes) > SHOWN else ""
    return ", ".join(called(node) for node in nodes[:SHOWN]) + rest


def instances(cluster: Cluster) -> Iterator[Finding]:
    """Yield for each instance type of the config whether a node or a NodePool fits it."""
    for instance in cluster.instance_types:
        pool, size = pool_of(instance.family), instance.name.partition(".")[2]
        title, wanted = f"instance {instance.name}", instance.cores // 2
        found = [node for node in _nodes_of(cluster, pool) if _labels(node).get(SIZE_LABEL) == size]
        fitting = [node for node in found if devices(node) == wanted]
        karpenters = cluster.node_pools.get(pool.name)
        if fitting:
            yield Finding(title, "ok", f"nodes now: {len(fitting)}")
        elif karpenters is None or not allows(karpenters, instance):
            yield Finding(
                title, "error", f"no such node, and no NodePool {pool.name} that allows it",
                f"Add {size} to {SIZE_LABEL} of the NodePool; or, on a node of that type: kubectl "
                f"label node NODE {POOL_LABEL}={pool.name} {SIZE_LABEL}={size}",
            )  # fmt: skip
        elif limit(karpenters) < wanted:
            yield Finding(
                title, "error", f"NodePool {pool.name} is limited to {limit(karpenters):g} devices",
                f"Raise spec.limits of the NodePool: {NEURON} to {wanted} for each worker.",
            )  # fmt: skip
        else:
            yield Finding(title, "ok", f"NodePool {pool.name} adds it")

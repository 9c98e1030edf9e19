"""`neuron-gateway doctor --cluster`: pools, nodes, taints, and the instance of a config."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.commands.cluster_of_files import (
    NEURON_TAINT,
    NODE_POOLS,
    ROOT,
    ClusterOfFiles,
    daemons,
    node,
    ready,
)
from tests.gateway.commands.doctor_table import doctor

SERVE = ROOT / "deploy" / "serve"
Change = Callable[[ClusterOfFiles], object]


@pytest.fixture
def cluster(tmp_path: Path) -> ClusterOfFiles:
    return ClusterOfFiles.with_everything(tmp_path)


def config(folder: Path, instance: str, degree: int = 2) -> Path:
    """Write a config for an instance type."""
    text = (SERVE / "inf2-8xlarge-llama3-8b.yaml").read_text("utf-8")
    text = text.replace("instance: inf2.8xlarge", f"instance: {instance}")
    text = text.replace("tensor_parallel_size: 2", f"tensor_parallel_size: {degree}")
    path = folder / "serve.yaml"
    path.write_text(text)
    return path


def pools(*names: str) -> Change:
    """Leave only these NodePools, and no node."""

    def change(cluster: ClusterOfFiles) -> None:
        left = [pool for pool in NODE_POOLS if pool["metadata"]["name"] in names]
        cluster.items("nodepools.karpenter.sh", *map(ready, left))
        cluster.items("nodes")

    return change


def a_pool_that_is_not_ready(cluster: ClusterOfFiles) -> None:
    message = "NodeClass not found on cluster"
    conditions = [
        {"type": "NodeClassReady", "status": "False", "message": message},
        {"type": "Ready", "status": "False", "message": ""},
    ]
    cluster.items(
        "nodepools.karpenter.sh",
        *[
            pool | {"status": {"conditions": conditions}}
            if pool["metadata"]["name"] == "inf2"
            else pool
            for pool in map(ready, NODE_POOLS)
        ],
    )


def a_neuron_node(**parts: Any) -> Change:
    labels = {"pool": "inf2", "size": "8xlarge", "type": "inf2.8xlarge"}
    worker = node("ip-10-0-9-9", **{"devices": 1, "taints": [NEURON_TAINT], **labels, **parts})
    return lambda cluster: cluster.items("nodes", worker)


def a_tainted_cpu_node(cluster: ClusterOfFiles) -> None:
    taint = {"key": "team", "value": "web", "effect": "NoSchedule"}
    cluster.items("nodes", node("ip-10-0-1-3", taints=[taint], pool="cpu"))


WRONG: dict[str, tuple[Change, str, str, str, str]] = {
    "no pool for the head": (
        pools("inf2", "compile"),
        "pool cpu", "error", "karpenter.sh/nodepool=cpu", "kubectl apply -k deploy/karpenter",
    ),
    "no pool for compiles": (
        pools("cpu", "inf2"),
        "pool compile", "warning", "precompile-offline alone", "kubectl label node NODE",
    ),
    "a pool without its class": (
        a_pool_that_is_not_ready,
        "pool inf2", "error", "NodeClass not found", "EC2NodeClass",
    ),
    "a taint that the head does not tolerate": (
        a_tainted_cpu_node,
        "pool cpu", "error", "taint team", "toleration",
    ),
    "a node without devices": (
        a_neuron_node(devices=0),
        "Neuron nodes", "error", "no aws.amazon.com/neuron on ip-10-0-9-9", "Neuron AMI",
    ),
    "a node that any pod may use": (
        a_neuron_node(taints=[]),
        "Neuron nodes", "warning", "no taint on ip-10-0-9-9", "kubectl taint node",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG)
def test_what_is_wrong_with_nodes_is_one_line_with_its_fix(
    cluster: ClusterOfFiles, case: tuple[Change, str, str, str, str]
) -> None:
    change, name, state, seen, fix = case
    change(cluster)
    shown = doctor(cluster)
    assert shown.wrong == {name: state}
    assert seen in shown.rows[name].seen
    assert fix in shown.rows[name].fix


def test_a_taint_of_neuron_that_ends_pods_is_not_tolerated(cluster: ClusterOfFiles) -> None:
    a_neuron_node(taints=[NEURON_TAINT | {"effect": "NoExecute"}])(cluster)
    assert doctor(cluster).wrong == {"pool inf2": "error"}


def test_taints_that_pass_and_those_that_only_prefer_are_no_findings(
    cluster: ClusterOfFiles,
) -> None:
    passing = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
    soft = {"key": "team", "value": "web", "effect": "PreferNoSchedule"}
    a_neuron_node(taints=[NEURON_TAINT, passing, soft])(cluster)
    assert doctor(cluster).wrong == {}


def test_with_a_neuron_pool_no_node_is_needed_yet(cluster: ClusterOfFiles) -> None:
    cluster.items("nodes")
    shown = doctor(cluster)
    assert shown.wrong == {}
    assert "Karpenter adds one" in shown.rows["Neuron nodes"].seen


def test_without_karpenter_nodes_with_the_labels_are_enough(cluster: ClusterOfFiles) -> None:
    cluster.remove("nodepools.karpenter.sh")
    cluster.items("nodes", *[node(name, pool=name) for name in ("cpu", "compile")])
    assert doctor(cluster).wrong == {"pool inf2": "error", "Neuron nodes": "error"}
    worker = node("worker", devices=1, taints=[NEURON_TAINT], pool="inf2", size="8xlarge")
    cluster.items("nodes", worker, *[node(name, pool=name) for name in ("cpu", "compile")])
    shown = doctor(cluster, SERVE / "inf2-8xlarge-llama3-8b.yaml")
    assert shown.wrong == {}
    assert shown.rows["instance inf2.8xlarge"].seen == "nodes now: 1"


@pytest.mark.parametrize(
    ("instance", "degree", "state"),
    [
        ("inf2.8xlarge", 2, "ok"), ("inf2.48xlarge", 2, "ok"), ("inf2.xlarge", 2, "error"),
        ("trn1.32xlarge", 2, "ok"), ("trn1n.32xlarge", 2, "ok"),
    ],
)  # fmt: skip
def test_the_instance_of_a_config_must_be_one_that_a_pool_allows(
    cluster: ClusterOfFiles, tmp_path: Path, instance: str, degree: int, state: str
) -> None:
    shown = doctor(cluster, config(tmp_path, instance, degree))
    row = shown.rows[f"instance {instance}"]
    assert row.state == state
    if state == "error":
        assert shown.wrong == {f"instance {instance}": "error"}
        assert "karpenter.k8s.aws/instance-size=xlarge" in row.fix


REQUIREMENTS: list[tuple[dict[str, Any], str]] = [
    (
        {"key": "node.kubernetes.io/instance-type", "operator": "In", "values": ["inf2.8xlarge"]},
        "ok",
    ),
    (
        {
            "key": "node.kubernetes.io/instance-type",
            "operator": "NotIn",
            "values": ["inf2.8xlarge"],
        },
        "error",
    ),
    ({"key": "karpenter.k8s.aws/instance-cpu", "operator": "Gt", "values": ["31"]}, "ok"),
    ({"key": "karpenter.k8s.aws/instance-cpu", "operator": "Lt", "values": ["32"]}, "error"),
    ({"key": "karpenter.k8s.aws/instance-category", "operator": "In", "values": ["inf"]}, "ok"),
    ({"key": "karpenter.k8s.aws/instance-gpu-name", "operator": "Exists"}, "error"),
    ({"key": "karpenter.k8s.aws/instance-gpu-name", "operator": "DoesNotExist"}, "ok"),
    ({"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["us-west-2a"]}, "ok"),
]


@pytest.mark.parametrize(("requirement", "state"), REQUIREMENTS)
def test_a_pools_requirements_are_read_as_karpenter_reads_them(
    cluster: ClusterOfFiles, requirement: dict[str, Any], state: str
) -> None:
    pool = {
        "metadata": {"name": "inf2"},
        "spec": {"template": {"spec": {"requirements": [requirement]}}},
    }
    cluster.items("nodes", node("head", pool="cpu"), node("compiler", pool="compile"))
    cluster.items("nodepools.karpenter.sh", ready(pool))
    shown = doctor(cluster, SERVE / "inf2-8xlarge-llama3-8b.yaml")
    assert shown.rows["instance inf2.8xlarge"].state == state


def test_a_pool_with_too_low_a_limit_adds_no_node(cluster: ClusterOfFiles, tmp_path: Path) -> None:
    (pool,) = [pool for pool in NODE_POOLS if pool["metadata"]["name"] == "inf2"]
    small = pool | {"spec": pool["spec"] | {"limits": {"aws.amazon.com/neuron": "4"}}}
    cluster.items("nodes", node("head", pool="cpu"), node("compiler", pool="compile"))
    cluster.items("nodepools.karpenter.sh", ready(small))
    shown = doctor(cluster, config(tmp_path, "inf2.48xlarge"))
    assert shown.wrong == {"instance inf2.48xlarge": "error"}
    assert "limited to 4 devices" in shown.rows["instance inf2.48xlarge"].seen


def test_a_config_without_neuron_cores_needs_no_neuron_nodes(cluster: ClusterOfFiles) -> None:
    for name in ("nodepools.karpenter.sh", "configmap.model-store", "secret.hf-token"):
        cluster.remove(name)
    cluster.items("nodes", node("kind-control-plane"))
    cluster.items("daemonsets", {"metadata": {"name": "kindnet"}, "spec": daemons()[1]["spec"]})
    shown = doctor(cluster, SERVE / "simulated.yaml")
    assert shown.wrong == {}
    assert "pool inf2" not in shown.rows

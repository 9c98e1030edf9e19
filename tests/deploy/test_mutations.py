"""Deliberate mistakes in the manifests, each of which a check must find."""

import copy
import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.deploy.checks import findings
from tests.deploy.checks.manifests import DEPLOY, NEURON, Document, documents, of_kind, overlay

pytestmark = [
    pytest.mark.deploy,
    pytest.mark.timeout(120),
    pytest.mark.filterwarnings("ignore"),  # Ray's own
]

Mutation = Callable[["Manifests"], None]


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


def renamed_resource(m: Manifests) -> None:
    for part in ("requests", "limits"):
        amounts = m.worker["resources"][part]
        amounts["aws.amazon.com/neurondevice"] = amounts.pop(NEURON)


def limits_alone(m: Manifests) -> None:
    del m.group["resources"]


def fewer_cores_declared(m: Manifests) -> None:
    m.group["resources"]["neuron_cores"] = "1"


def resources_declared_twice(m: Manifests) -> None:
    m.group["rayStartParams"]["resources"] = "'{\"neuron_cores\": 2}'"


def no_toleration(m: Manifests) -> None:
    del m.pod["tolerations"]


def wrong_taint_key(m: Manifests) -> None:
    m.pod["tolerations"][0]["key"] = "aws.amazon.com/neuroncore"


def no_such_pool(m: Manifests) -> None:
    m.pod["nodeSelector"]["karpenter.sh/nodepool"] = "neuron"


def a_label_of_another_project(m: Manifests) -> None:
    m.pod["nodeSelector"]["provisioner"] = "default"


def a_pool_of_another_chip(m: Manifests) -> None:
    m.pod["nodeSelector"]["karpenter.sh/nodepool"] = "trn1"


def a_size_the_pool_lacks(m: Manifests) -> None:
    m.pod["nodeSelector"]["karpenter.k8s.aws/instance-size"] = "xlarge"


def more_memory_than_a_node(m: Manifests) -> None:
    m.give("memory", "120Gi")


def a_quantity_that_is_none(m: Manifests) -> None:
    m.give("memory", "110GiB")


def shared_memory_without_end(m: Manifests) -> None:
    (shm,) = (v for v in m.pod["volumes"] if v["name"] == "shm")
    shm["emptyDir"]["sizeLimit"] = "100Gi"


def a_scheduler_that_is_not_there(m: Manifests) -> None:
    m.pod["schedulerName"] = "neuron-scheduler"


def a_sidecar(m: Manifests) -> None:
    m.pod["containers"].append(copy.deepcopy(m.worker) | {"name": "second"})


def a_typo_in_the_serve_config(m: Manifests) -> None:
    m.serve("route_prefix", "route_prefx")


def a_removed_serve_option(m: Manifests) -> None:
    m.serve("proxy_location: EveryNode", "proxy_location: EveryNode\nmax_concurrent_queries: 9")


def a_typo_in_the_gateways_config(m: Manifests) -> None:
    m.serve("max_num_seqs", "max_num_seq")


def more_slots_than_fit(m: Manifests) -> None:
    m.serve("max_num_seqs: 8", "max_num_seqs: 48")


def a_bucket_beyond_the_context(m: Manifests) -> None:
    m.serve("[512, 1024, 2048, 4096]", "[512, 1024, 2048, 8192]")


def a_degree_the_instance_lacks(m: Manifests) -> None:
    m.serve("tensor_parallel_size: 2", "tensor_parallel_size: 8")


def more_replicas_than_nodes(m: Manifests) -> None:
    m.serve("max: 3", "max: 5")


def a_group_that_cannot_grow(m: Manifests) -> None:
    m.group["maxReplicas"] = 1


def no_keys(m: Manifests) -> None:
    m.serve("keys_file: /etc/neuron-gateway/keys/keys.yaml", "")


def loopback_inside_the_pod(m: Manifests) -> None:
    m.serve("host: 0.0.0.0", "host: 127.0.0.1")


def a_name_for_the_head_service(m: Manifests) -> None:
    m.head["headService"] = {"metadata": {"name": "head"}, "spec": {}}


def no_token_on_the_head(m: Manifests) -> None:
    m.head["template"]["spec"]["automountServiceAccountToken"] = False


def replicas_on_the_head(m: Manifests) -> None:
    m.head["rayStartParams"]["num-cpus"] = "4"


def the_head_on_inf2(m: Manifests) -> None:
    m.head["template"]["spec"]["nodeSelector"]["karpenter.sh/nodepool"] = "inf2"


def no_serve_port_on_the_head(m: Manifests) -> None:
    container = m.head["template"]["spec"]["containers"][0]
    container["ports"] = [port for port in container["ports"] if port["name"] != "serve"]


def a_stop_that_cuts_streams(m: Manifests) -> None:
    m.worker["lifecycle"]["preStop"]["exec"]["command"] = ["ray", "stop"]


def a_budget_that_a_ray_cluster_cannot_have(m: Manifests) -> None:
    budget = m.budget()
    budget["maxUnavailable"] = budget.pop("minAvailable")


def a_budget_that_holds_the_last_worker(m: Manifests) -> None:
    m.budget()
    m.group["minReplicas"] = 1


def a_budget_for_ready_pods_alone(m: Manifests) -> None:
    del m.budget()["unhealthyPodEvictionPolicy"]


def nodes_that_expire(m: Manifests) -> None:
    m.named("NodePool", "inf2")["spec"]["template"]["spec"]["expireAfter"] = "720h"


def nodes_that_never_end(m: Manifests) -> None:
    del m.named("NodePool", "inf2")["spec"]["template"]["spec"]["terminationGracePeriod"]


def a_new_ami_that_moves_pods(m: Manifests) -> None:
    del m.named("NodePool", "cpu")["spec"]["disruption"]["budgets"][1]


def trn1_nodes_that_expire(m: Manifests) -> None:
    m.named("NodePool", "trn1")["spec"]["template"]["spec"]["expireAfter"] = "720h"


def an_unknown_field(m: Manifests) -> None:
    m.cluster["enableInTreeAutoscalling"] = m.cluster.pop("enableInTreeAutoscaling")


def a_number_for_a_start_parameter(m: Manifests) -> None:
    m.head["rayStartParams"]["num-cpus"] = 0


def an_upgrade_of_no_known_kind(m: Manifests) -> None:
    m.spec["upgradeStrategy"]["type"] = "RollingUpdate"


def a_cut_of_running_streams(m: Manifests) -> None:
    m.spec["rayClusterDeletionDelaySeconds"] = 60


def a_start_with_a_deadline(m: Manifests) -> None:
    m.service["metadata"]["annotations"] = {"ray.io/initializing-timeout": "90m"}


def readiness_of_ray_instead_of_the_engine(m: Manifests) -> None:
    m.worker["readinessProbe"]["httpGet"]["path"] = "/-/healthz"


def a_worker_whose_node_is_not_drained(m: Manifests) -> None:
    m.group["template"]["metadata"]["annotations"] = {"karpenter.sh/do-not-disrupt": "true"}


def an_image_that_changes(m: Manifests) -> None:
    m.worker["image"] = "registry.example/neuron-gateway/neuron:latest"


def root(m: Manifests) -> None:
    m.pod["securityContext"] = {}


def a_secret_in_the_environment(m: Manifests) -> None:
    source = {"secretKeyRef": {"name": "hf-token", "key": "token"}}
    m.worker["env"].append({"name": "HUGGING_FACE_HUB_TOKEN", "valueFrom": source})


def a_config_map_that_is_not_there(m: Manifests) -> None:
    m.worker["envFrom"][0]["configMapRef"]["name"] = "ray-env"


def a_policy_that_shuts_the_operator_out(m: Manifests) -> None:
    m.named("NetworkPolicy", "ray")["spec"]["ingress"][1]["ports"][0]["port"] = 8266


def a_policy_without_pods(m: Manifests) -> None:
    m.named("NetworkPolicy", "clients")["spec"]["podSelector"]["matchLabels"] = {"app": "gateway"}


def a_budget_without_pods(m: Manifests) -> None:
    m.budget()["selector"]["matchLabels"] = {"app": "ray"}


def a_pool_without_a_class(m: Manifests) -> None:
    template = m.named("NodePool", "inf2")["spec"]["template"]["spec"]
    template["nodeClassRef"] = {"kind": "EC2NodeClass", "name": "neuron"}


def a_disk_for_one_image(m: Manifests) -> None:
    m.disk()["ebs"]["volumeSize"] = "50Gi"


def a_disk_too_slow_for_the_pull(m: Manifests) -> None:
    m.disk()["ebs"]["throughput"] = 500


def more_throughput_than_iops_allow(m: Manifests) -> None:
    m.disk()["ebs"]["iops"] = 3000


def a_second_disk(m: Manifests) -> None:
    m.disk()["deviceName"] = "/dev/sda1"


def a_node_config_of_no_such_field(m: Manifests) -> None:
    spec = m.named("EC2NodeClass", "neuron")["spec"]
    spec["userData"] = spec["userData"].replace("featureGates", "featuregates")


def a_node_role_for_every_pod(m: Manifests) -> None:
    m.named("EC2NodeClass", "neuron")["spec"]["metadataOptions"]["httpPutResponseHopLimit"] = 2


def consolidation_of_busy_nodes(m: Manifests) -> None:
    m.named("NodePool", "inf2")["spec"]["disruption"]["consolidationPolicy"] = "WhenUnderutilized"


def another_namespace(m: Manifests) -> None:
    m.named("ServiceAccount", "neuron-gateway")["metadata"]["namespace"] = "default"


MUTATIONS: list[Mutation] = [
    found
    for name, found in list(globals().items())
    if callable(found) and getattr(found, "__annotations__", {}).get("m") is Manifests
]


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__)
def test_a_mistake_is_found(mutate: Mutation) -> None:
    manifests = Manifests(overlay("inf2-8xlarge"))
    mutate(manifests)
    assert findings(manifests.documents)


# Mistakes that depend on the size of an overlay's nodes, or on its pool.
OF_SIZE: list[Mutation] = [
    renamed_resource, limits_alone, fewer_cores_declared, no_toleration, a_size_the_pool_lacks,
    a_sidecar, a_group_that_cannot_grow,
]  # fmt: skip


@pytest.mark.parametrize("mutate", OF_SIZE, ids=lambda mutate: mutate.__name__)
@pytest.mark.parametrize("name", ["inf2-48xlarge-70b", "trn1-32xlarge"])
def test_a_mistake_is_found_in_other_overlays(name: str, mutate: Mutation) -> None:
    manifests = Manifests(overlay(name))
    mutate(manifests)
    assert findings(manifests.documents)


@pytest.mark.parametrize(
    ("name", "resource", "amount", "found"),
    [
        ("inf2-48xlarge-70b", "memory", "720Gi", "GiB of"),
        ("inf2-48xlarge-70b", NEURON, "6", "6 of a node's 12 devices"),
        ("trn1-32xlarge", "cpu", "127", "127 CPUs"),
        ("trn1-32xlarge", "memory", "480Gi", "GiB of"),
        ("trn1-32xlarge", NEURON, "12", "12 of a node's 16 devices"),
    ],
)
def test_what_a_node_lacks_is_found(name: str, resource: str, amount: str, found: str) -> None:
    manifests = Manifests(overlay(name))
    manifests.give(resource, amount)
    assert any(found in finding for finding in findings(manifests.documents))


@pytest.mark.parametrize(
    ("name", "old", "new", "found"),
    [
        ("inf2-48xlarge-70b", "tensor_parallel_size: 24", "tensor_parallel_size: 8",
         "141.1 GB of weights, and 8 NeuronCores have"),
        ("inf2-48xlarge-70b", "max: 2", "max: 3", "up to 3 replicas, and nodes for 2"),
        ("trn1-32xlarge", "instance: trn1.32xlarge", "instance: inf2.48xlarge",
         "24 NeuronCores, the pod gets 32"),
        ("trn1-32xlarge", "tensor_parallel_size: 8", "tensor_parallel_size: 4", "is no degree"),
    ],
)  # fmt: skip
def test_a_config_that_does_not_fit_its_nodes_is_found(
    name: str, old: str, new: str, found: str
) -> None:
    manifests = Manifests(overlay(name))
    manifests.serve(old, new)
    assert re.search(found, "\n".join(findings(manifests.documents)))


def test_there_are_mistakes_enough() -> None:
    assert len(MUTATIONS) >= 40

"""Deliberate mistakes in node pools, policies, budgets and accounts."""

from tests.deploy.mistakes.manifests import Manifests


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


def a_policy_that_shuts_the_operator_out(m: Manifests) -> None:
    m.named("NetworkPolicy", "operator")["spec"]["ingress"][0]["ports"][0]["port"] = 8266


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

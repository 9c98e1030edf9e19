"""Deliberate mistakes in the RayService and its Serve config."""

import copy

from tests.deploy.checks.manifests import NEURON
from tests.deploy.mistakes.manifests import Manifests


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

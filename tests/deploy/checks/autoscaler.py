"""What Ray's autoscaler believes of each group, by Ray's own code, and what would fit nowhere."""

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from gateway.config import ConfigError, parse_config
from tests.deploy.checks.manifests import Document, amount, name_of, of_kind, pods


def findings(documents: Sequence[Document]) -> Iterator[str]:
    """Yield groups whose NeuronCores Ray does not see, and replicas that fit no group."""
    for service in of_kind(documents, "RayService"):
        try:
            groups = seen(service)
        except Exception as error:  # noqa: BLE001 - whatever it is, the autoscaler would die of it
            yield f"{name_of(service)}: the autoscaler cannot read it: {error}"
            continue
        wanted = demand(service)
        if not any(_holds(group, wanted) for group in groups.values()):
            yield f"{name_of(service)}: a replica wants {wanted}, which no group offers"
        if _holds(groups["headgroup"], wanted):
            yield f"{name_of(service)}: a replica may be put on the head"
        yield from _limits(service, groups)


def seen(service: Document) -> dict[str, Any]:
    """Derive Ray's node types from a RayService, by the name of their group."""
    from ray.autoscaler._private.kuberay import autoscaling_config  # a second, so only here

    logging.getLogger("ray").setLevel(logging.ERROR)
    metadata = {"name": service["metadata"]["name"], "namespace": "neuron-gateway"}
    cluster = {"apiVersion": "ray.io/v1", "kind": "RayCluster", "metadata": metadata}
    derive = autoscaling_config._derive_autoscaling_config_from_ray_cr
    found = derive(cluster | {"spec": service["spec"]["rayClusterConfig"]})["available_node_types"]
    return {key.removeprefix("small-group_"): value for key, value in found.items()}


def demand(service: Document) -> dict[str, float]:
    """Return the resources of one replica: from the file, else as the gateway derives them."""
    from gateway.serving.ray_engine import replica_options

    (application,) = yaml.safe_load(service["spec"]["serveConfigV2"])["applications"]
    try:
        config = parse_config(application.get("args", {}), "args")
    except ConfigError:
        return {}  # the check of the Serve config says so
    options = replica_options(config.models[0], config.limits)["ray_actor_options"]
    for deployment in application.get("deployments", []):
        options = deployment.get("ray_actor_options", options)
    cpus = {"CPU": float(options.get("num_cpus", 1))}
    return {key: value for key, value in (cpus | options.get("resources", {})).items() if value}


def _holds(group: dict[str, Any], wanted: dict[str, float]) -> bool:
    offered = group["resources"]
    return all(float(offered.get(name, 0)) >= amount for name, amount in wanted.items())


def _limits(service: Document, groups: dict[str, Any]) -> Iterator[str]:
    """Yield a difference between the CPUs that Ray offers and those of the pod."""
    for pod in pods([service]):
        name = pod.owner.rpartition(" ")[2]
        offered = groups["headgroup" if name == "head" else name]["resources"].get("CPU", 0)
        if offered > amount(pod.containers[-1]["resources"]["limits"]["cpu"]):
            yield f"{pod.owner}: Ray offers {offered} CPUs, more than the pod has"

"""`examine_cluster`: every check of a cluster in order, none of which another's failure hides."""

from collections.abc import Callable, Collection, Iterator
from typing import Final

from engine import Finding
from gateway.commands.cluster import namespace, nodes, operators
from gateway.commands.cluster.cluster import Cluster
from gateway.commands.cluster.kubectl import Unreadable

Check = Callable[[Cluster], Iterator[Finding]]
# What a check that may not read is called.
_CHECKS: Final[dict[str, Check]] = {
    "KubeRay CRD": operators.kuberay_kinds,
    "KubeRay operator": operators.kuberay_operator,
    "node pools": nodes.pools,
    "Neuron nodes": nodes.neuron_nodes,
    "instances": nodes.instances,
    "device plugin": operators.device_plugin,
    "Pod Identity": operators.pod_identity,
    "network policy": operators.network_policy,
    "storage class": operators.storage_class,
    "namespace": namespace.namespace,
    "Secret gateway-keys": namespace.gateway_keys,
    "Secret hf-token": namespace.hub_token,
    "ConfigMap model-store": namespace.model_store,
}


def examine_cluster(namespace: str, instances: Collection[str] | None) -> Iterator[Finding]:
    """Yield what kubectl's cluster has and lacks for the manifests of `deploy/`.

    `instances` are the names of instance types that it must offer: None for any, none where the
    model needs no NeuronCores.
    """
    cluster = Cluster(namespace, instances)
    try:
        yield from operators.api_server()
    except Unreadable as error:
        yield Finding("Kubernetes", "error", error.seen, error.fix)
        return
    for name, check in _CHECKS.items():
        try:
            yield from check(cluster)
        except Unreadable as error:
            yield Finding(name, "warning", error.seen, error.fix)

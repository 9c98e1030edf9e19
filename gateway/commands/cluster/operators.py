"""The API server, and what must run in a cluster before the service: KubeRay and node daemons."""

import re
from collections.abc import Iterator
from typing import Any, Final

from packaging.version import InvalidVersion, Version

from engine import Finding
from gateway.commands.cluster import kubectl
from gateway.commands.cluster.cluster import Cluster, called, images
from gateway.commands.cluster.kubectl import Absent, Object, Unreadable
from gateway.commands.cluster.names import NEURON, OPERATOR_NAMESPACE

KUBERNETES: Final = (34, 36)  # the minor versions whose schemas the manifests are checked with
KUBERAY: Final = Version("1.7")
KUBERAY_CHART: Final = "1.7.0"
# Fields that the manifests set in a Ray cluster and a group of workers. A CRD without them drops
# them in silence, and Ray would ask for no token.
FIELDS: Final = ("authOptions", "resources")
_HELM: Final = "--repo https://ray-project.github.io/kuberay-helm/"
_INSTALL: Final = (
    f"helm upgrade --install kuberay-operator kuberay-operator --version {KUBERAY_CHART} "
    f"--namespace {OPERATOR_NAMESPACE} --create-namespace {_HELM}"
)
_UPDATE_CRDS: Final = (
    f"helm show crds kuberay-operator --version {KUBERAY_CHART} {_HELM} | "
    "kubectl apply --server-side --force-conflicts -f -"
)
_ENFORCE: Final = (
    "aws eks update-addon --cluster-name CLUSTER --addon-name vpc-cni --configuration-values "
    """'{"enableNetworkPolicy":"true"}'"""
)
# DaemonSets of other networks that enforce policies.
_ENFORCERS: Final = ("calico-node", "cilium", "kindnet", "kube-router", "antrea-agent", "anetd")


def api_server() -> Iterator[Finding]:
    """Yield the version of Kubernetes. Raises Unreadable where the cluster does not answer."""
    found = kubectl.read("version").get("serverVersion", {})
    seen, (lowest, highest) = f"{found.get('gitVersion')}, {_context()}", KUBERNETES
    minor = re.sub(r"\D", "", str(found.get("minor", "")))
    if minor and lowest <= int(minor) <= highest:
        yield Finding("Kubernetes", "ok", seen)
        return
    wanted = f"The manifests are checked against 1.{lowest} to 1.{highest}."
    yield Finding("Kubernetes", "warning", seen, wanted)


def _context() -> str:
    """Return which cluster this is; a pod has an account and no context."""
    try:
        return f"context {kubectl.run('config', 'current-context').strip()}"
    except Unreadable:
        return "without a context"


def kuberay_kinds(cluster: Cluster) -> Iterator[Finding]:
    """Yield whether the CRD of a RayService has the fields that the manifests need."""
    try:
        crd = cluster.named("customresourcedefinition", "rayservices.ray.io")
    except Absent:
        yield Finding("KubeRay CRD", "error", "no RayService", _INSTALL)
        return
    missing = [name for name in FIELDS if not _in_workers(crd, name)]
    if missing:
        seen = f"older than KubeRay {KUBERAY}: without {' and '.join(missing)}"
        yield Finding("KubeRay CRD", "error", seen, _UPDATE_CRDS)
        return
    yield Finding("KubeRay CRD", "ok", called(crd))


def _in_workers(crd: Object, field: str) -> bool:
    """Return whether version v1 has the field, in a Ray cluster or in a group of workers."""
    for version in crd["spec"]["versions"]:
        if version["name"] != "v1":
            continue
        spec = _inside(version.get("schema"), "openAPIV3Schema", "properties", "spec")
        ray = _inside(spec, "properties", "rayClusterConfig", "properties")
        group = _inside(ray, "workerGroupSpecs", "items", "properties")
        return field in ray or field in group
    return False


def _inside(value: Any, *keys: str) -> Object:
    for key in keys:
        value = (value or {}).get(key)
    return value or {}


def kuberay_operator(cluster: Cluster) -> Iterator[Finding]:
    """Yield whether an operator of a known version runs where the network policies expect it."""
    names = "app.kubernetes.io/name in (kuberay-operator,kuberay)"
    found = cluster.items("deployments", "--all-namespaces", f"--selector={names}")
    if not found:
        yield Finding("KubeRay operator", "error", "absent", _INSTALL)
    for deployment in found:
        yield _operator(deployment)


def _operator(deployment: Object) -> Finding:
    name, space = "KubeRay operator", deployment["metadata"]["namespace"]
    image = next(iter(images(deployment)), "")
    seen = f"{image} in {space}"
    try:
        version = Version(re.split(r"[:@]", image.rpartition("/")[2])[1])
    except (IndexError, InvalidVersion):
        return Finding(
            name, "warning", seen, f"Its tag is no version; {KUBERAY} or newer is needed."
        )
    if version < KUBERAY:
        return Finding(name, "error", seen, f"{_INSTALL}; and {_UPDATE_CRDS}")
    if not deployment.get("status", {}).get("availableReplicas"):
        return Finding(
            name, "error", f"{seen}, not ready", f"kubectl -n {space} describe pods, and their logs"
        )
    if space != OPERATOR_NAMESPACE:
        return Finding(
            name, "warning", seen,
            f"The network policy `ray` admits the namespace {OPERATOR_NAMESPACE}: install the "
            "operator there, or change deploy/k8s/base/network-policy.yaml.",
        )  # fmt: skip
    return Finding(name, "ok", seen)


def device_plugin(cluster: Cluster) -> Iterator[Finding]:
    """Yield whether Neuron's device plugin runs on the nodes that it is meant for."""
    name = "device plugin"
    if not cluster.wants_neuron:
        return
    found = _daemon(cluster, "neuron-device-plugin")
    if found is None:
        yield Finding(
            name, "error", f"absent: no node gets {NEURON}",
            "helm upgrade --install neuron-helm-chart --namespace kube-system "
            "oci://public.ecr.aws/neuron/neuron-helm-chart "
            "--values deploy/terraform/helm-values/neuron-helm-chart.yaml",
        )  # fmt: skip
        return
    status = found.get("status", {})
    wanted, ready = status.get("desiredNumberScheduled", 0), status.get("numberReady", 0)
    seen = f"ready on {ready} of {wanted} nodes"
    if ready < wanted:
        fix = f"kubectl -n {found['metadata']['namespace']} describe daemonset {called(found)}"
        yield Finding(name, "error", seen, f"{fix}; its nodes need AWS's Neuron driver")
        return
    yield Finding(name, "ok", seen)


def pod_identity(cluster: Cluster) -> Iterator[Finding]:
    """Yield whether pods can get roles of AWS by Pod Identity."""
    if not cluster.wants_neuron:
        return
    if _daemon(cluster, "eks-pod-identity-agent") is not None:
        yield Finding("Pod Identity", "ok", "eks-pod-identity-agent")
        return
    yield Finding(
        "Pod Identity", "warning",
        "no agent: unless the cluster has another way to roles of AWS, pods cannot read the store",
        "aws eks create-addon --cluster-name CLUSTER --addon-name eks-pod-identity-agent",
    )  # fmt: skip


def network_policy(cluster: Cluster) -> Iterator[Finding]:
    """Yield whether something is seen that enforces network policies."""
    agent = "--enable-network-policy=true"
    for each in cluster.daemon_sets:
        for container in each["spec"]["template"]["spec"]["containers"]:
            if agent in container.get("args", []):
                yield Finding("network policy", "ok", f"{called(each)} enforces it")
                return
        if called(each) in _ENFORCERS:
            yield Finding("network policy", "ok", f"{called(each)} enforces it")
            return
    seen = "nothing seen that enforces it: any pod of the cluster reaches Ray"
    yield Finding("network policy", "warning", seen, _ENFORCE)


def storage_class(cluster: Cluster) -> Iterator[Finding]:
    """Yield the default storage class, for the volumes of Prometheus and of `gcs-ft`."""
    mark = "storageclass.kubernetes.io/is-default-class"
    for each in cluster.items("storageclasses"):
        if each["metadata"].get("annotations", {}).get(mark) == "true":
            yield Finding("storage class", "ok", f"{called(each)} is the default")
            return
    patch = f'{{"metadata":{{"annotations":{{"{mark}":"true"}}}}}}'
    yield Finding(
        "storage class", "warning", "no default: volumes of gcs-ft and Prometheus stay Pending",
        f"kubectl patch storageclass NAME -p '{patch}'",
    )  # fmt: skip


def _daemon(cluster: Cluster, name: str) -> Object | None:
    """Return the DaemonSet with this in its name or in the name of an image; None if none has."""
    for each in cluster.daemon_sets:
        if name in called(each) or any(name in image for image in images(each)):
            return each
    return None

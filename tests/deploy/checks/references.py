"""References from one object to another: each target exists in its namespace."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from tests.deploy.checks.manifests import Document, Pod, name_of, of_kind, pods

NAMESPACE: Final = "neuron-gateway"
# Made by install.sh, by the operator, or by hand as deploy/README.md says.
_OTHERS: Final = {
    "Secret": {"gateway-keys", "hf-token", "valkey", "gateway-tls"},
    "ConfigMap": {"model-store"},
}
_ISTIO: Final = "gateway.networking.k8s.io"  # makes its pods itself
_LEVELS: Final = ("baseline", "restricted")
_CLUSTER_WIDE: Final = ("Namespace", "NodePool", "EC2NodeClass")


def findings(documents: Sequence[Document]) -> Iterator[str]:
    """Yield references without a target."""
    names = {kind: set(others) for kind, others in _OTHERS.items()}
    for document in documents:
        names.setdefault(document["kind"], set()).add(document["metadata"]["name"])
        names["Service"] = names.get("Service", set()) | _services(document)
    found = list(pods(documents))
    yield from _namespaces(documents)
    for document in documents:
        yield from (f"{name_of(document)}: {text}" for text in _permissions(document))
    for pod in found:
        yield from (f"{pod.owner}: {text}" for text in _of_pod(pod, names))
    for each in (*of_kind(documents, "Ingress"), *of_kind(documents, "HTTPRoute")):
        missing = set(_backends(each)) - names["Service"]
        yield from (f"{name_of(each)}: no Service is called {name}" for name in sorted(missing))
    for document in documents:
        yield from (f"{name_of(document)}: {text}" for text in _selected(document, found))


def _services(document: Document) -> set[str]:
    """Return the names of the Services that the operator creates for a RayService."""
    if document["kind"] != "RayService":
        return set()
    name, strategy = document["metadata"]["name"], document["spec"].get("upgradeStrategy", {})
    # With incremental upgrades each cluster has a Service of its own, behind a Gateway.
    incremental = strategy.get("type") == "NewClusterWithIncrementalUpgrade"
    return {f"{name}-head-svc"} | (set() if incremental else {f"{name}-serve-svc"})


def _namespaces(documents: Sequence[Document]) -> Iterator[str]:
    for document in documents:
        inside = document["metadata"].get("namespace")
        if document["kind"] not in _CLUSTER_WIDE and inside not in (NAMESPACE, "monitoring"):
            yield f"{name_of(document)}: its namespace is {inside}"


def _permissions(document: Document) -> Iterator[str]:
    mounted = document.get("automountServiceAccountToken") is not False
    if document["kind"] == "ServiceAccount" and mounted:
        yield "its token is mounted into every pod"
    if document["kind"] != "Namespace":
        return
    if document["metadata"]["name"] not in (NAMESPACE, "monitoring"):
        yield "nothing is in it"
    for label, level in document["metadata"].get("labels", {}).items():
        if label.startswith("pod-security.kubernetes.io/") and level not in _LEVELS:
            yield f"{label}: {level} is no level of pod security"


def _of_pod(pod: Pod, names: dict[str, set[str]]) -> Iterator[str]:
    for kind, name in _named(pod):
        if name not in names.get(kind, set()):
            yield f"no {kind} is called {name}"


def _named(pod: Pod) -> Iterator[tuple[str, str]]:
    if account := pod.spec.get("serviceAccountName"):
        yield "ServiceAccount", account
    yield from _named_in_environment(pod)
    for volume in pod.spec.get("volumes", []):
        if "secret" in volume:
            yield "Secret", volume["secret"]["secretName"]
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"]


def _named_in_environment(pod: Pod) -> Iterator[tuple[str, str]]:
    for container in pod.containers:
        for source in container.get("envFrom", []):
            yield "ConfigMap", source["configMapRef"]["name"]
        for variable in container.get("env", []):
            if key := variable.get("valueFrom", {}).get("configMapKeyRef"):
                yield "ConfigMap", key["name"]


def _backends(document: Document) -> Iterator[str]:
    """Yield the names of the Services to which an Ingress or a route leads."""
    for rule in document["spec"]["rules"]:
        for path in rule.get("http", {}).get("paths", []):
            yield path["backend"]["service"]["name"]
        for backend in rule.get("backendRefs", []):
            yield backend["name"]


def _selected(document: Document, found: list[Pod]) -> Iterator[str]:
    spec = document.get("spec", {})
    if document["kind"] == "NetworkPolicy":
        yield from _policy(spec, found)
    if document["kind"] == "PodDisruptionBudget":
        yield from _budget(spec, _chosen(spec["selector"], found))
    if document["kind"] == "Service":
        yield from _service(document, _chosen({"matchLabels": spec["selector"]}, found))
    if document["kind"] in ("Deployment", "StatefulSet", "DaemonSet"):
        labels = spec["template"]["metadata"].get("labels", {})
        if not spec["selector"]["matchLabels"].items() <= labels.items():
            yield "its selector does not find its own pods"


def _service(document: Document, chosen: list[Pod]) -> Iterator[str]:
    offered = {value for pod in chosen for port in _ports(pod) for value in port.values()}
    if not chosen:
        yield "its selector finds no pod"
    for port in document["spec"]["ports"]:
        if port.get("targetPort", port["port"]) not in offered:
            yield f"no container has port {port.get('targetPort', port['port'])}"


def _budget(spec: Document, chosen: list[Pod]) -> Iterator[str]:
    least = spec.get("minAvailable")
    if not chosen:
        yield "its selector finds no pod"
    if not isinstance(least, int):
        yield "only a whole minAvailable works for pods that a RayCluster owns"
    elif least >= sum(pod.fewest for pod in chosen):
        yield "it never lets the last pod go: its node cannot be drained"
    if spec.get("unhealthyPodEvictionPolicy") != "AlwaysAllow":
        yield "a pod that never became ready blocks a drain"


def _chosen(selector: Document, found: list[Pod]) -> list[Pod]:
    wanted, rules = selector.get("matchLabels", {}).items(), selector.get("matchExpressions", [])
    return [
        pod
        for pod in found
        if wanted <= pod.labels.items()
        and all(pod.labels.get(r["key"]) in r.get("values", pod.labels.values()) for r in rules)
    ]


def _policy(spec: Document, found: list[Pod]) -> Iterator[str]:
    chosen = _chosen(spec.get("podSelector", {}), found)
    if any(_ISTIO in str(rule) for rule in spec["podSelector"].get("matchExpressions", [])):
        return
    if not chosen:
        yield "its selector finds no pod"
    if spec.get("podSelector") == {}:  # it names ports of the outside
        return
    offered = {port["containerPort"] for pod in chosen for port in _ports(pod)}
    for rule in spec.get("ingress", []):
        named = {port["port"] for port in rule.get("ports", [])}
        yield from (f"no container has port {port}" for port in sorted(named - offered))


def _ports(pod: Pod) -> Iterator[dict[str, Any]]:
    for container in pod.containers:
        yield from container.get("ports", [])

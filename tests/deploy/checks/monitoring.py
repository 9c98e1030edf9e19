"""What watches the service: monitors find pods; alerts and dashboards are those of the files."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

import yaml

from tests.deploy.checks.manifests import (
    DEPLOY,
    NEURON,
    Document,
    Pod,
    amount,
    name_of,
    of_kind,
    pods,
)

_FOLDER: Final = DEPLOY / "monitoring"
_SIDECAR: Final = ("grafana_dashboard", "1")  # of helm-values/kube-prometheus-stack.yaml
_INTERVAL: Final = "15s"  # of which the alerts' windows are multiples
_STACK: Final = "http://kube-prometheus-stack"
_OF_THE_HEAD: Final = {
    "RAY_REDIS_CA_CERT": "/etc/ssl/certs/ca-certificates.crt",
    "RAY_PROMETHEUS_HOST": f"{_STACK}-prometheus.monitoring.svc:9090",
    "RAY_GRAFANA_HOST": f"{_STACK}-grafana.monitoring.svc:80",
    "RAY_GRAFANA_IFRAME_HOST": "http://127.0.0.1:3000",  # by port-forward
}
_CLUSTER: Final = {
    "sourceLabels": ["__meta_kubernetes_pod_label_ray_io_cluster"],
    "targetLabel": "ray_io_cluster",  # that alerts and dashboards group by
}


def findings(documents: Sequence[Document]) -> Iterator[str]:
    """Yield what nobody would see, or would see under another name."""
    found = list(pods(documents))
    for rule in of_kind(documents, "PrometheusRule"):
        alerts = yaml.safe_load((_FOLDER / "alerts.yaml").read_text("utf-8"))
        if rule["spec"] != alerts or rule["metadata"]["name"] != "neuron-gateway":
            yield f"{name_of(rule)}: it is not alerts.yaml; run `make rendered`"
    for board in of_kind(documents, "ConfigMap"):
        if board["metadata"]["name"].endswith("-dashboards"):
            yield from (f"{name_of(board)}: {text}" for text in _dashboards(board))
    for service in of_kind(documents, "RayService"):
        yield from (f"{name_of(service)}: {text}" for text in _dashboard_of_ray(service))
    for monitor in of_kind(documents, "PodMonitor"):
        yield from (f"{name_of(monitor)}: {text}" for text in _monitor(monitor["spec"], found))
    for daemon in of_kind(documents, "DaemonSet"):
        pools = list(of_kind(documents, "NodePool"))
        yield from (f"{name_of(daemon)}: {text}" for text in _daemon(daemon["spec"], pools))


def _dashboards(board: Document) -> Iterator[str]:
    files = {file.name: file.read_text("utf-8") for file in (_FOLDER / "dashboards").iterdir()}
    if board["data"] != files:
        yield "it does not hold the files of monitoring/dashboards"
    if _SIDECAR not in board["metadata"].get("labels", {}).items():
        yield "Grafana's sidecar does not look for its label"
    uids = [json.loads(text).get("uid") for text in files.values()]
    if len(set(uids)) < len(uids):
        yield "two dashboards have one uid"


def _dashboard_of_ray(service: Document) -> Iterator[str]:
    """Yield addresses in Ray's head that are not those of kube-prometheus-stack."""
    head = service["spec"]["rayClusterConfig"]["headGroupSpec"]["template"]["spec"]
    given = {each["name"]: each.get("value") for each in head["containers"][0].get("env", [])}
    yield from (f"nothing in the head reads {name}" for name in given.keys() - _OF_THE_HEAD.keys())
    for name in given.keys() & _OF_THE_HEAD.keys():
        if given[name] != _OF_THE_HEAD[name]:
            yield f"{name} is not {_OF_THE_HEAD[name]}"


def _monitor(spec: Document, found: list[Pod]) -> Iterator[str]:
    (space,) = spec["namespaceSelector"]["matchNames"]
    chosen = [pod for pod in found if space in _spaces(pod) and _selects(spec["selector"], pod)]
    offered = {
        port["name"] for pod in chosen for each in pod.containers for port in each.get("ports", [])
    }
    wanted = {endpoint["port"] for endpoint in spec["podMetricsEndpoints"]}
    if wanted - offered or not chosen:
        yield f"it finds no port {', '.join(sorted(wanted - offered))} in {space}"
    of_ray = any(pod.owner.startswith("RayService/") for pod in chosen)
    if of_ray and len({pod.owner for pod in chosen}) < 2:
        yield "it finds the head or the workers, and not both"
    for endpoint in spec["podMetricsEndpoints"]:
        if endpoint.get("interval") != _INTERVAL:
            yield f"it scrapes every {endpoint.get('interval')}, not {_INTERVAL}"
        if of_ray and endpoint.get("relabelings") != [_CLUSTER]:
            yield "its metrics do not have the label ray_io_cluster"


def _spaces(pod: Pod) -> tuple[str, ...]:
    return ("monitoring",) if pod.owner.startswith("DaemonSet/") else ("neuron-gateway",)


def _selects(selector: dict[str, Any], pod: Pod) -> bool:
    return selector.get("matchLabels", {}).items() <= pod.labels.items() and all(
        rule["operator"] == "In" and pod.labels.get(rule["key"]) in rule["values"]
        for rule in selector.get("matchExpressions", [])
    )


def _daemon(spec: Document, pools: list[Document]) -> Iterator[str]:
    """Yield why it does not run on every node with Neuron devices, or is not scraped there."""
    template = spec["template"]["spec"]
    terms = template["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    (term,) = terms["nodeSelectorTerms"]
    neuron = {p["metadata"]["name"] for p in pools if NEURON in str(p["spec"]["template"])}
    (rule,) = term["matchExpressions"]
    if (rule["key"], rule["operator"]) != ("karpenter.sh/nodepool", "In"):
        yield "it does not select nodes by their pool"
    if pools and set(rule["values"]) != neuron:
        yield f"it is not on the pools {', '.join(sorted(neuron))}"
    if template["tolerations"] != [{"key": NEURON, "operator": "Exists", "effect": "NoSchedule"}]:
        yield f"it does not tolerate {NEURON}"
    (container,) = template["containers"]
    if container["args"] != ["--port", str(container["ports"][0]["containerPort"])]:
        yield "it listens on another port than it names"
    limits = {each["name"]: each["value"] for each in container["env"]}
    memory = amount(container["resources"]["limits"]["memory"])
    if not 0 < amount(limits.get("GOMEMLIMIT", "").removesuffix("B")) < memory:
        yield "GOMEMLIMIT is not below its memory"
    if not template.get("hostNetwork") or not container["securityContext"].get("privileged"):
        yield "without the node's network and devices it reads nothing"

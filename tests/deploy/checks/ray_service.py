"""Rules of a RayService that no schema has: KubeRay refuses these, or cannot scale them."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from tests.deploy.checks.manifests import (
    CORES_PER_DEVICE,
    NEURON,
    Document,
    amount,
    name_of,
    of_kind,
    pins,
)

_NAME: Final = "neuron-gateway"  # of its Services, which web chat, routes and deploy/README.md call
_DRAIN_SECONDS: Final = 600  # that drain.sh waits for streams
_GATED: Final = ("networkPolicy", "tlsOptions", "historyServerOptions", "upgradeStrategy")
_START: Final = {"num-cpus", "num-gpus", "memory", "resources"}
_UPGRADES: Final = ("NewCluster", "None", "NewClusterWithIncrementalUpgrade")


def findings(documents: Sequence[Document]) -> Iterator[str]:
    """Yield what is wrong with each RayService."""
    for document in of_kind(documents, "RayService"):
        cluster = document["spec"]["rayClusterConfig"]
        groups = [("head", cluster["headGroupSpec"])]
        groups += [(group["groupName"], group) for group in cluster["workerGroupSpecs"]]
        for rule in (_service, _cluster, _upgrade, _fault_tolerance):
            yield from (f"{name_of(document)}: {text}" for text in rule(document, cluster))
        yield from (f"{name_of(document)}: {text}" for text in _head(groups[0][1]))
        for name, group in groups:
            yield from (f"{name_of(document)} {name}: {text}" for text in _group(name, group))


def _service(document: Document, cluster: Document) -> Iterator[str]:
    metadata, spec = document["metadata"], document["spec"]
    if metadata["name"] != _NAME:
        yield f"it is not called {_NAME}"
    if "ray.io/initializing-timeout" in metadata.get("annotations", {}):
        yield "after ray.io/initializing-timeout it fails for good; nodes may come later"
    for field in ("serviceUnhealthySecondThreshold", "deploymentUnhealthySecondThreshold"):
        if field in spec:
            yield f"{field} does nothing"
    if spec.get("rayClusterDeletionDelaySeconds", 60) < _longest_request(spec):
        yield "rayClusterDeletionDelaySeconds is shorter than a request may last"
    if _longest_request(spec) > _DRAIN_SECONDS:
        yield f"a request may last longer than a drain waits, {_DRAIN_SECONDS} s"
    if spec.get("excludeHeadPodFromServeSvc") is not True:
        yield "excludeHeadPodFromServeSvc is not set, although the head has no replica"


def _longest_request(spec: Document) -> float:
    found = re.search(r"max_request_seconds: (\d+)", spec.get("serveConfigV2", ""))
    return float(found[1]) if found else 600.0


def _cluster(document: Document, cluster: Document) -> Iterator[str]:
    options = cluster.get("autoscalerOptions", {})
    if cluster.get("enableInTreeAutoscaling") is not True or options.get("version") != "v2":
        yield "the in-tree autoscaler, version v2, is not enabled"
    if cluster.get("authOptions", {}).get("mode") != "token":
        yield "authOptions.mode is not token: whoever reaches the head may run code"
    if cluster.get("rayVersion") != pins()["RAY"]:
        yield f"rayVersion is not {pins()['RAY']}, that of the images"
    yield from _autoscaler(options, cluster["headGroupSpec"]["template"]["spec"])
    for field in _GATED:
        if cluster.get(field) is not None:
            yield f"rayClusterConfig.{field} is refused, or behind a gate that is off"
    names = [group["groupName"] for group in cluster["workerGroupSpecs"]]
    if len(set(names)) < len(names):
        yield "two worker groups have one name"


def _autoscaler(options: Document, head: Document) -> Iterator[str]:
    """Yield what the autoscaler's container, which the operator adds to the head, may do."""
    context = options.get("securityContext", {})
    sealed = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
    }
    sealed |= {"capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}}
    yield from (
        f"autoscalerOptions: {key} is not {sealed[key]}"
        for key in sealed
        if context.get(key) != sealed[key]
    )
    mounts = options.get("volumeMounts", [])
    names = {volume["name"] for volume in head.get("volumes", [])}
    if [each["mountPath"] for each in mounts] != ["/tmp"] or not {
        m["name"] for m in mounts
    } <= names:
        yield "the autoscaler needs a volume of the head at /tmp, where Ray's logs are"


def _upgrade(document: Document, cluster: Document) -> Iterator[str]:
    strategy = document["spec"].get("upgradeStrategy", {})
    kind, options = strategy.get("type"), strategy.get("clusterUpgradeOptions", {})
    if kind not in _UPGRADES:
        yield f"upgradeStrategy.type {kind!r} is none of {', '.join(_UPGRADES)}"
    if kind == "NewClusterWithIncrementalUpgrade":
        surge, step = options.get("maxSurgePercent", 100), options.get("stepSizePercent", 0)
        if not options.get("gatewayClassName") or options.get("intervalSeconds", 0) <= 0:
            yield "an incremental upgrade wants gatewayClassName and intervalSeconds"
        if not 0 < step <= surge <= 100:
            yield "stepSizePercent is to be above 0 and at most maxSurgePercent"


def _fault_tolerance(document: Document, cluster: Document) -> Iterator[str]:
    environment = {each["name"] for each in _first(cluster["headGroupSpec"]).get("env", [])}
    own = {"RAY_REDIS_ADDRESS", "REDIS_PASSWORD", "REDIS_USERNAME"} & environment
    if own:
        yield f"{', '.join(sorted(own))}: only gcsFaultToleranceOptions may say that"
    if "ray.io/ft-enabled" in document["metadata"].get("annotations", {}):
        yield "the annotation ray.io/ft-enabled cannot stand beside gcsFaultToleranceOptions"
    options = cluster.get("gcsFaultToleranceOptions")
    if options is not None and not options.get("redisAddress"):
        yield "gcsFaultToleranceOptions has no redisAddress"


def _head(head: Document) -> Iterator[str]:
    if "name" in head.get("headService", {}).get("metadata", {}):
        yield "headService.metadata.name is refused by the operator"
    if "serve" not in {port.get("name") for port in _first(head).get("ports", [])}:
        yield "the head names no port serve, of which the operator makes the Serve Service"
    if head.get("rayStartParams", {}).get("dashboard-host") != "0.0.0.0":
        yield "dashboard-host is not 0.0.0.0: the operator cannot send the Serve config"
    if head["template"]["metadata"].get("labels", {}).get("neuron-gateway/role") != "head":
        yield "its label neuron-gateway/role is not head, by which policies and monitors find it"
    if head.get("rayStartParams", {}).get("num-cpus") != "0":
        yield 'the head offers CPUs: num-cpus is to be "0", or replicas land on it'
    if head["template"]["spec"].get("automountServiceAccountToken") is False:
        yield "the head has no service account token, without which nothing scales"
    resources = _first(head).get("resources", {})
    asked, most = (
        resources.get("requests", {}).get("memory"),
        resources.get("limits", {}).get("memory"),
    )
    if asked is None or asked != most:
        yield "the head's memory request is not its limit"


def _group(name: str, group: Document) -> Iterator[str]:
    params = group.get("rayStartParams", {})
    if any(not isinstance(value, str) for value in params.values()):
        yield "a value of rayStartParams is no text"
    if group.get("resources") and _START & params.keys():
        yield "resources are on the group and in rayStartParams; the operator refuses both"
    if "labels" in params:
        yield "rayStartParams.labels is refused; the group has labels"
    low, high, now = (group.get(key, 1) for key in ("minReplicas", "maxReplicas", "replicas"))
    if not 0 <= low == now <= high:
        yield f"replicas {now} are not minReplicas, {low}, with at most {high}"
    if group["template"]["spec"].get("restartPolicy", "Never") != "Never":
        yield "the autoscaler wants restartPolicy Never"
    if "karpenter.sh/do-not-disrupt" in group["template"]["metadata"].get("annotations", {}):
        yield "with karpenter.sh/do-not-disrupt its node is not drained, by hand or for spot"
    yield from _cores(name, group)


def _cores(name: str, group: Document) -> Iterator[str]:
    limits = _first(group).get("resources", {}).get("limits", {})
    given = amount(limits.get(NEURON, 0)) * CORES_PER_DEVICE
    declared = amount(group.get("resources", {}).get("neuron_cores", 0))
    if given != declared:
        yield f"it has {given:g} NeuronCores and declares {declared:g} to Ray: it will not scale"
    if given and name == "head":
        yield "the head holds Neuron devices"
    if given and len(group["template"]["spec"]["containers"]) > 1:
        yield "a second container beside Neuron devices can fail their allocation"


def _first(group: Document) -> dict[str, Any]:
    first: dict[str, Any] = group["template"]["spec"]["containers"][0]
    return first

"""Pods: their user, writable paths, images, probes and secrets."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from tests.deploy.checks.manifests import Document, Pod, amount, pins, pods

_PINNED: Final = re.compile(
    r"[\w.\-/]+(:\d+)?/?[\w.\-/]*:(?!latest$)[\w][\w.\-]*|.+@sha256:[0-9a-f]{64}"
)
# Of this project, in any registry; a changed image has a tag and a digest of its own.
_OWN: Final = re.compile(
    r".+/neuron-gateway/(gateway|neuron|webui):(?P<tag>[\w.-]+)(?P<digest>@sha256:[0-9a-f]{64})?"
)
_UID: Final = 10001  # of the images
# Read by alerts, by commands in deploy/README.md, and by KubeRay.
_RAY_CONTAINERS: Final = {"ray-head", "ray-worker"}
_SERVES: Final = ("Deployment", "StatefulSet")
# It reads the node's device files, and is not in the namespace of the gateway.
_PRIVILEGED: Final = ("DaemonSet/neuron-monitor",)


def findings(documents: Sequence[Document]) -> Iterator[str]:
    """Yield permissions that a pod does not need, and settings that it lacks."""
    for pod in pods(documents):
        if pod.owner not in _PRIVILEGED:
            yield from (f"{pod.owner}: {text}" for text in _person(pod.spec))
        for container in pod.containers:
            where = f"{pod.owner} {container['name']}"
            rules = [_image, _resources, _secrets]
            rules += [_whole] if _holds_a_node(pod) else [_bounded]
            rules += [] if pod.owner in _PRIVILEGED else [_sealed]
            yield from (f"{where}: {text}" for rule in rules for text in rule(container))
        yield from (
            f"{pod.owner}: {text}"
            for rule in (_account, _probes, _mounts, _volumes, _end)
            for text in rule(pod)
        )


def _person(spec: Document) -> Iterator[str]:
    context = spec.get("securityContext", {})
    if context.get("runAsNonRoot") is not True:
        yield "it may run as root"
    ids = ("runAsUser", "runAsGroup", *(["fsGroup"] if spec.get("volumes") else []))
    if {context.get(key) for key in ids} != {_UID}:
        yield f"its user, group and the group of its volumes are not {_UID}, the images' own"
    if context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "it has no seccomp profile"
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(field):
            yield f"{field} is set"


def _sealed(container: Document) -> Iterator[str]:
    context = container.get("securityContext", {})
    if context.get("allowPrivilegeEscalation") is not False or context.get("privileged"):
        yield "it may gain privileges"
    if context.get("capabilities", {}).get("drop") != ["ALL"]:
        yield "it keeps capabilities"
    if context.get("readOnlyRootFilesystem") is not True:
        yield "its root file system can be written"


def _image(container: Document) -> Iterator[str]:
    image = container["image"]
    if not _PINNED.fullmatch(image):
        yield f"image {image} is not pinned"
    own = _OWN.fullmatch(image)
    if own is None and image not in pins().values():
        yield f"image {image} is not in versions.env"
    if own and not own["digest"] and own["tag"].removesuffix("-cpu") != pins()["GATEWAY"]:
        yield f"image {image} is not of version {pins()['GATEWAY']}"
    if container.get("imagePullPolicy") != "IfNotPresent":
        yield "imagePullPolicy is not IfNotPresent"


def _resources(container: Document) -> Iterator[str]:
    resources = container.get("resources", {})
    for name in ("cpu", "memory"):
        asked = resources.get("requests", {}).get(name)
        most = resources.get("limits", {}).get(name)
        if asked is None or most is None:
            yield f"{name} has no request or no limit"
        elif amount(asked) > amount(most):
            yield f"its request of {name} is above its limit"


def _bounded(container: Document) -> Iterator[str]:
    """Yield what lets a job or a page use far more than it reserves."""
    resources = container.get("resources", {})
    for name, most in resources.get("limits", {}).items():
        if amount(most) > 5 * amount(resources.get("requests", {}).get(name, most)):
            yield f"its limit of {name} is far above its request"


def _holds_a_node(pod: Pod) -> bool:
    return pod.owner.startswith("RayService/") and "nodeSelector" in pod.spec


def _whole(container: Document) -> Iterator[str]:
    """Yield what lets a node kill a Ray container that uses more than it reserved."""
    resources = container.get("resources", {})
    if resources.get("requests") != resources.get("limits"):
        yield "its requests are not its limits"


def _secrets(container: Document) -> Iterator[str]:
    for variable in container.get("env", []):
        if "secretKeyRef" in variable.get("valueFrom", {}):
            yield f"{variable['name']}: a secret in the environment; mount it as a file"
        if re.search(r"TOKEN$|PASSWORD|SECRET|API_KEY", variable["name"]):
            yield f"{variable['name']} is a secret by its name"


def _probes(pod: Pod) -> Iterator[str]:
    kind = pod.owner.partition("/")[0]
    worker = kind == "RayService" and not pod.owner.endswith(" head")
    for container in pod.spec["containers"]:
        ready = container.get("readinessProbe", {})
        if (kind in _SERVES or worker) and not ready:
            yield f"{container['name']} has no readiness probe"
        if worker and ready.get("httpGet", {}).get("path") != "/readyz":
            yield "its readiness does not ask the engine (/readyz)"
        if kind in _SERVES and not container.get("livenessProbe"):
            yield f"{container['name']} has no liveness probe"


def _account(pod: Pod) -> Iterator[str]:
    # The head's autoscaler asks the API for pods, and office-hours suspends the service.
    asks = pod.owner.endswith(" head") or pod.owner.startswith("CronJob/")
    if not asks and pod.spec.get("automountServiceAccountToken") is not False:
        yield "it has a token of the Kubernetes API"
    if pod.owner.startswith("RayService/"):
        names = {container["name"] for container in pod.spec["containers"]}
        yield from (f"no Ray container is called {name}" for name in names - _RAY_CONTAINERS)


def _mounts(pod: Pod) -> Iterator[str]:
    known = {volume["name"] for volume in pod.spec.get("volumes", [])}
    claims = {"data"} if pod.owner.startswith("StatefulSet/") else set()
    given = {v["name"] for v in pod.spec.get("volumes", []) if "secret" in v or "configMap" in v}
    for container in pod.containers:
        for mount in container.get("volumeMounts", []):
            if mount["name"] in given and mount.get("readOnly") is not True:
                yield f"{mount['mountPath']} is of a Secret or ConfigMap, and not only for reading"
        mounts = [mount["name"] for mount in container.get("volumeMounts", [])]
        yield from (f"no volume is called {name}" for name in mounts if name not in known | claims)


def _volumes(pod: Pod) -> Iterator[str]:
    for volume in pod.spec.get("volumes", []):
        name, empty = volume["name"], volume.get("emptyDir", {})
        if "emptyDir" in volume and "sizeLimit" not in empty:
            yield f"volume {name} may fill the node"
        if empty.get("medium", "Memory") != "Memory":
            yield f"volume {name} is on no known medium"
        if "secret" in volume and volume["secret"].get("defaultMode") != 0o440:
            yield f"volume {name} can be read by others than the user and its group"
        if "hostPath" in volume:
            yield f"volume {name} is the node's"


def _end(pod: Pod) -> Iterator[str]:
    """A worker's pod waits for the streams that Serve lets end."""
    if pod.labels.get("neuron-gateway/role") != "worker":
        return
    if pod.spec.get("terminationGracePeriodSeconds", 30) < 630:
        yield "terminationGracePeriodSeconds is shorter than Serve's own patience of 630 s"
    hook: dict[str, Any] = pod.spec["containers"][0].get("lifecycle", {}).get("preStop", {})
    command = " ".join(hook.get("exec", {}).get("command", []))
    if command != "bash /opt/neuron-gateway/drain.sh 600":
        yield "its preStop does not let streams end before it stops Ray"

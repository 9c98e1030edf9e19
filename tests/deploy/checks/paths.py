"""Paths, names and ports that must meet: between volumes, scripts, configs and programs."""

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any, Final

import yaml

from gateway.config import AppConfig
from gateway.serving.environment import serve_environment
from tests.deploy.checks.manifests import Document, Pod, name_of, of_kind, pods

# What the programs in the images write to or read from, by their names in a Ray pod.
_RAY_MOUNTS: Final = {"/tmp", "/home/gateway", "/dev/shm"}
_PORTS: Final = {
    "gcs": 6379, "dashboard": 8265, "client": 10001, "serve": 8000, "metrics": 8080,
    "as-metrics": 44217, "dash-metrics": 44227,
}  # fmt: skip
_CONFIG_MAPS: Final = {"model-store": {"bucket", "region"}}  # made by install.sh
_KEYS_FILE: Final = "keys.yaml"  # in the Secret gateway-keys, as deploy/README.md makes it
_WRITES: Final = ("registry.example/neuron-gateway/", "public.ecr.aws/aws-cli/")  # into /tmp
_CLI: Final = {"BUCKET", "AWS_REGION", "HOME"}  # what a container of the AWS CLI needs
# What the pods add to the variables that `neuron-gateway serve` sets.
_POD: Final = {
    "RAY_SERVE_HAPROXY_BINARY_PATH": "/opt/neuron-gateway/haproxy",
    "RAY_DEFAULT_PYTHON_VERSION_MATCH_LEVEL": "minor",
}
_ENVIRONMENT: Final = {"OMP_NUM_THREADS"}  # each overlay's, by the CPUs of its pods
_IMPORTS: Final = {"name": "gateway", "import_path": "gateway.serving.ray_app:build_app"}


def findings(documents: Sequence[Document]) -> Iterator[str]:
    """Yield what one object expects at a place where another does not put it."""
    for service in of_kind(documents, "RayService"):
        yield from (f"{name_of(service)}: {text}" for text in _of_service(service, documents))
    for each in of_kind(documents, "ConfigMap"):
        if each["metadata"]["name"] == "ray-environment" and each["data"] != _variables():
            yield "ConfigMap/ray-environment: it differs from what `neuron-gateway serve` sets"
    for pod in pods(documents):
        for container in pod.containers:
            where = f"{pod.owner} {container['name']}"
            yield from (f"{where}: {text}" for text in _of_container(pod, container))


def _variables() -> dict[str, str]:
    given = serve_environment(AppConfig()) | _POD
    return {name: value for name, value in given.items() if name not in _ENVIRONMENT}


def _of_service(service: Document, documents: Sequence[Document]) -> Iterator[str]:
    text = service["spec"]["serveConfigV2"]
    for each in of_kind(documents, "ConfigMap"):
        if each["metadata"]["name"] == "serve-config" and each["data"].get("serve.yaml") != text:
            yield "its Serve config is not that of the ConfigMap, for which precompile compiles"
    config = yaml.safe_load(text)
    (application,) = config["applications"]
    if {key: application.get(key) for key in _IMPORTS} != _IMPORTS:
        yield f"the application is not {_IMPORTS}"
    if application.get("route_prefix") != "/":
        yield "the API is not below /v1: route_prefix is to be /"
    if config.get("http_options", {}).get("port") != _PORTS["serve"]:
        yield f"http_options.port is not {_PORTS['serve']}, the port of the pods"
    cluster = service["spec"]["rayClusterConfig"]
    for template in (cluster["headGroupSpec"]["template"], *_workers(cluster)):
        mounts = {each["mountPath"] for each in template["spec"]["containers"][0]["volumeMounts"]}
        yield from (f"nothing is mounted at {path}" for path in sorted(_RAY_MOUNTS - mounts))
    for template in _workers(cluster):
        given = {each["name"] for each in template["spec"]["containers"][0].get("env", [])}
        yield from (f"nothing reads {name}" for name in sorted(given - _ENVIRONMENT))
        yield from _of_worker(template["spec"], application["args"])


def _workers(cluster: Document) -> Iterator[Document]:
    yield from (group["template"] for group in cluster["workerGroupSpecs"])


def _of_worker(spec: Document, args: Document) -> Iterator[str]:
    mounts = {each["mountPath"]: each for each in spec["containers"][0]["volumeMounts"]}
    keys = PurePosixPath(args.get("keys_file", "/"))
    mount = mounts.get(str(keys.parent), {})
    secrets = {each["name"] for each in spec["volumes"] if "secret" in each}
    if keys.name != _KEYS_FILE or mount.get("name") not in secrets or not mount.get("readOnly"):
        yield f"keys_file {keys} is not {_KEYS_FILE} of a Secret that is mounted for reading"
    for model in args["models"]:
        engine = model["engine"]
        for path in (engine["model"], engine["device"].get("artifacts")):
            if path and path.startswith("/") and not _below(path, mounts):
                yield f"{path} of the Serve config is in no volume"
    yield from _restored(spec, args)


def _below(path: str, mounts: dict[str, Any]) -> bool:
    return any(path.startswith(f"{mount}/") for mount in mounts)


def _restored(spec: Document, args: Document) -> Iterator[str]:
    """Yield the folders of the config that no init container fills."""
    for container in spec.get("initContainers", []):
        given = {each["name"]: each.get("value", "") for each in container.get("env", [])}
        script = " ".join(container.get("args", []))
        for name, value in given.items():
            script = script.replace(f"${name}", value or f"${name}")
        for model in args["models"]:
            wanted = (model["engine"]["model"], model["engine"]["device"].get("artifacts"))
            for path in (each for each in wanted if each and each.startswith("/models/")):
                if not re.search(rf"[ \"]{re.escape(path)}[\"\s]", script):
                    yield f"{container['name']} does not fill {path} of the Serve config"


def _of_container(pod: Pod, container: Document) -> Iterator[str]:
    for port in container.get("ports", []):
        ray = pod.owner.startswith("RayService/")
        if ray and _PORTS.get(port["name"]) != port["containerPort"]:
            yield f"port {port['name']} is {_PORTS.get(port['name'])}, not {port['containerPort']}"
    known = {port["name"] for port in container.get("ports", [])}
    known |= {port["containerPort"] for port in container.get("ports", [])}
    for probe in ("readinessProbe", "livenessProbe"):
        get = container.get(probe, {}).get("httpGet", {"port": None, "path": "/healthz"})
        if get["port"] not in known | {None}:
            yield f"{probe} asks port {get['port']}, which it does not have"
        if get["path"] not in ("/healthz", "/readyz"):
            yield f"{probe} asks for {get['path']}, which no program here has"
    yield from _environment(container)
    yield from _written(container)
    yield from _script(container)


def _environment(container: Document) -> Iterator[str]:
    for variable in container.get("env", []):
        key = variable.get("valueFrom", {}).get("configMapKeyRef", {})
        if key and key["key"] not in _CONFIG_MAPS.get(key["name"], {key["key"]}):
            yield f"ConfigMap {key['name']} has no key {key['key']}"


def _script(container: Document) -> Iterator[str]:
    """Yield variables of a script that nobody sets, and shells that go on after an error."""
    command, arguments = container.get("command", []), container.get("args", [])
    if not arguments or "\n" not in arguments[0]:
        return
    if command not in (["bash", "-ec"], ["sh", "-ec"]):
        yield f"its script is run by {' '.join(command)}, not by a shell with -ec"
    given = {each["name"] for each in container.get("env", [])}
    text = arguments[0]
    given |= set(re.findall(r"\b(\w+)=", text)) | set(re.findall(r"\bfor (\w+) in", text))
    used = set(re.findall(r"\$\{?([A-Za-z_]\w*)", text))
    yield from (f"its script reads ${name}, which nobody sets" for name in sorted(used - given))
    mounts = {each["mountPath"]: each for each in container.get("volumeMounts", [])}
    for path in sorted(set(re.findall(r"(?<=[\s\"])/[\w./-]*\w", text))):
        if path not in mounts and not _below(path, mounts):
            yield f"its script names {path}, where nothing is mounted"
    if container["image"].startswith("public.ecr.aws/aws-cli/"):
        yield from (f"the AWS CLI needs {name}" for name in sorted(_CLI - given))


def _written(container: Document) -> Iterator[str]:
    """Yield folders that a program writes, where the file system is read-only."""
    mounts = {each["mountPath"] for each in container.get("volumeMounts", [])}
    home = next((v.get("value") for v in container.get("env", []) if v["name"] == "HOME"), None)
    for name, path in (("HOME", home), ("workingDir", container.get("workingDir"))):
        if path is not None and path not in mounts:
            yield f"{name} {path} is no volume"
    if container["image"].startswith(_WRITES) and "/tmp" not in mounts:
        yield "nothing is mounted at /tmp"

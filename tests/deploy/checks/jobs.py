"""Jobs and the web chat: the model, the token, the config and the Service that they name."""

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Final

import yaml

from tests.deploy.checks.manifests import Document, Pod, name_of, of_kind, pods

_COMPILE: Final = {"/tmp", "/dev/shm", "/models", "/etc/neuron-gateway/serve"}


def findings(documents: Sequence[Document]) -> Iterator[str]:
    """Yield what they would copy, compile or call that the service does not have."""
    repositories = dict(_repositories(documents))
    for pod in pods(documents):
        if pod.owner.startswith("Job/"):
            yield from (f"{pod.owner}: {text}" for text in _of_job(pod, repositories))
            yield from (f"{pod.owner}: {text}" for text in _compiled(pod))
    for deployment in of_kind(documents, "Deployment"):
        yield from (
            f"{name_of(deployment)}: {text}" for text in _of_web_chat(deployment, documents)
        )


def _repositories(documents: Sequence[Document]) -> Iterator[tuple[str, str]]:
    """Yield the folder of each model of a Serve config, and its name, which is the hub's."""
    for service in of_kind(documents, "RayService"):
        for application in yaml.safe_load(service["spec"]["serveConfigV2"])["applications"]:
            for model in application["args"]["models"]:
                yield PurePosixPath(model["engine"]["model"]).name, model["id"]


def _of_job(pod: Pod, repositories: dict[str, str]) -> Iterator[str]:
    if pod.spec.get("restartPolicy") not in ("Never", "OnFailure"):
        yield "restartPolicy is neither Never nor OnFailure"
    if pod.metadata.get("annotations", {}).get("karpenter.sh/do-not-disrupt") != "true":
        yield "Karpenter may move it, and it begins again"
    for container in pod.containers:
        given = {each["name"]: each.get("value", "") for each in container.get("env", [])}
        model = given.get("MODEL")
        if repositories and model is not None and model not in repositories:
            yield f"MODEL {model} is no folder of a Serve config"
        if "REPOSITORY" in given and given["REPOSITORY"] != repositories.get(model or ""):
            yield f"REPOSITORY {given['REPOSITORY']} is not the model of the Serve config"
        token = PurePosixPath(given.get("HF_TOKEN_PATH", "/etc/neuron-gateway/hf-token/token"))
        mounts = {each["mountPath"]: each for each in container.get("volumeMounts", [])}
        if "REPOSITORY" in given and (
            token.name != "token" or not mounts.get(str(token.parent), {}).get("readOnly")
        ):
            yield f"{token} is not the file `token` of a Secret that is mounted for reading"
        if "REPOSITORY" in given and not given.keys() >= {"HOME", "HF_TOKEN_PATH", "REVISION"}:
            yield "hf needs HOME, HF_TOKEN_PATH and REVISION"


def _of_web_chat(deployment: Document, documents: Sequence[Document]) -> Iterator[str]:
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    given = {each["name"]: each.get("value", "") for each in container["env"]}
    name = deployment["metadata"]["name"]
    if given != {
        "OPENAI_BASE_URL": "http://neuron-gateway-serve-svc:8000/v1",
        "CHAT_HOST": "0.0.0.0",
        "CHAT_PORT": str(container["ports"][0]["containerPort"]),
    }:
        yield "it does not call the Service of the gateway, or listens elsewhere"
    if deployment["spec"]["replicas"] != 1:
        yield "a conversation lives in one pod: replicas is to be 1"
    services = {each["metadata"]["name"]: each["spec"] for each in of_kind(documents, "Service")}
    if name != "webui" or [p["port"] for p in services.get(name, {}).get("ports", [])] != [7860]:
        yield "there is no Service webui with port 7860, which deploy/README.md forwards"
    missing = {"/tmp", "/home/gateway"} - {each["mountPath"] for each in container["volumeMounts"]}
    yield from (f"nothing is mounted at {path}" for path in sorted(missing))


def _compiled(pod: Pod) -> Iterator[str]:
    """Yield what a compile lacks."""
    volumes = {each["name"]: each for each in pod.spec.get("volumes", [])}
    for container in pod.containers:
        command = container.get("command", [])
        if command[:1] != ["neuron-gateway"]:
            if not command or command[0] not in ("bash", "sh"):
                yield f"{container['name']} runs {command}, which no image here has"
            continue
        flags, file = command[1:-1], PurePosixPath(command[-1])
        if flags not in (["precompile"], ["precompile", "--offline"]) or file.name != "serve.yaml":
            yield f"{' '.join(command)} compiles nothing"
        mounts = {each["mountPath"]: each for each in container["volumeMounts"]}
        yield from (f"nothing is mounted at {path}" for path in sorted(_COMPILE - mounts.keys()))
        source = volumes.get(mounts.get(str(file.parent), {}).get("name", ""), {})
        if source.get("configMap", {}).get("name") != "serve-config":
            yield f"{file} is not the Serve config"

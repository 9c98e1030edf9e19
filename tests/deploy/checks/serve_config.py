"""The Serve config inside a RayService, against Ray's schema and the gateway's."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import yaml
from pydantic import BaseModel, ValidationError

from gateway.config import AppConfig, ConfigError, parse_config
from tests.deploy.checks.manifests import (
    CORES_PER_DEVICE,
    NEURON,
    Document,
    amount,
    name_of,
    of_kind,
)

_KNOWN: Final = ("GatewayReplica", "GatewayIngress")  # one hop, two hops


def findings(documents: Sequence[Document]) -> Iterator[str]:
    """Yield what Ray would ignore, what the gateway refuses, and what cannot scale."""
    for service in of_kind(documents, "RayService"):
        config = yaml.safe_load(service["spec"]["serveConfigV2"])
        for text in (*_strictly(config), *_gateway(config, service)):
            yield f"{name_of(service)}: {text}"


def _strictly(config: dict[str, Any]) -> Iterator[str]:
    from ray.serve import schema  # a second, so only here

    yield from _unknown(schema.ServeDeploySchema, config, "")
    yield from _unknown(schema.HTTPOptionsSchema, config.get("http_options", {}), "http_options.")
    for application in config.get("applications", []):
        yield from _unknown(schema.ServeApplicationSchema, application, "applications.")
        for deployment in application.get("deployments", []):
            yield from _unknown(schema.DeploymentSchema, deployment, "deployments.")
            if deployment.get("name") not in _KNOWN:
                yield f"deployments: {deployment.get('name')} is none of {', '.join(_KNOWN)}"
    try:
        schema.ServeDeploySchema.model_validate(config)
    except ValidationError as error:
        yield str(error.errors()[0]["msg"])


def _unknown(model: type[BaseModel], value: dict[str, Any], where: str) -> Iterator[str]:
    fields = model.model_fields
    known = {*fields, *(field.alias for field in fields.values())}
    yield from (f"{where}{key} is unknown to Ray" for key in value if key not in known)


def _gateway(config: dict[str, Any], service: Document) -> Iterator[str]:
    (application,) = config["applications"]
    try:
        found = parse_config(_with_known_names(application.get("args", {})), "args")
    except ConfigError as error:
        yield str(error)
        return
    if found.keys_file is None:
        yield "keys_file is not set: anyone who reaches it may call"
    if config.get("http_options", {}).get("host") != "0.0.0.0":
        yield "http_options.host is not 0.0.0.0: it is unreachable from outside the pod"
    yield from _replicas(found, service["spec"]["rayClusterConfig"]["workerGroupSpecs"][0])


def _with_known_names(args: dict[str, Any]) -> dict[str, Any]:
    """Return the config with the models' names for their folders, so that sizes are checked."""
    models = [
        model | {"engine": model["engine"] | {"model": model["id"]}}
        if str(model["engine"].get("model", "")).startswith("/models/")
        else model
        for model in args.get("models", [])
    ]
    return args | {"models": models}


def _replicas(config: AppConfig, group: Document) -> Iterator[str]:
    (model,) = config.models
    device, limits = model.engine.device, group["template"]["spec"]["containers"][0]["resources"]
    offered, needed = sum(device.node_resources([]).values()), sum(device.resources().values())
    if not offered:
        return
    cores = amount(limits["limits"].get(NEURON, 0)) * CORES_PER_DEVICE
    if cores != offered:
        yield f"{device.summary()}: it has {offered:g} NeuronCores, the pod gets {cores:g}"
    most = model.replicas if isinstance(model.replicas, int) else model.replicas.max
    least = model.replicas if isinstance(model.replicas, int) else model.replicas.min
    on_a_node = cores // needed
    if most != group["maxReplicas"] * on_a_node:
        yield f"up to {most} replicas, and nodes for {group['maxReplicas'] * on_a_node:g}"
    if least > group["minReplicas"] * on_a_node:
        yield f"at least {least} replicas, and nodes for {group['minReplicas'] * on_a_node:g}"

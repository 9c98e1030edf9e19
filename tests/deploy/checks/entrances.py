"""Ways in: Ingresses, routes and load balancers, with TLS, time for streams, and bounds."""

import ipaddress
import json
import re
from collections.abc import Iterator, Sequence
from typing import Final

from tests.deploy.checks.manifests import Document, name_of, of_kind

PORT: Final = 8000
SERVICE: Final = "neuron-gateway-serve-svc"
_DRAIN: Final = 630  # seconds in which streams of a terminating pod end
_ALB: Final = "alb.ingress.kubernetes.io/"
_NLB: Final = "service.beta.kubernetes.io/aws-load-balancer-"
_SCHEMES: Final = ("internal", "internet-facing")
_ONLY: Final = {  # annotations of an ALB that have one right value
    "target-type": "ip",
    "ssl-redirect": "443",
    "healthcheck-path": "/readyz",
}
_SERVICE: Final = {  # annotations of an NLB
    "scheme": "internal",
    "nlb-target-type": "ip",
    "healthcheck-protocol": "http",
    "healthcheck-path": "/readyz",
    "healthcheck-port": "traffic-port",
}
_GATE: Final = "elbv2.k8s.aws/pod-readiness-gate-inject"


def findings(documents: Sequence[Document]) -> Iterator[str]:
    """Yield what lets the world in, cuts streams, or leads nowhere."""
    balanced = False
    for document in documents:
        rule = {"Ingress": _ingress, "HTTPRoute": _route, "Service": _service}.get(document["kind"])
        if rule is not None:
            yield from (f"{name_of(document)}: {text}" for text in rule(document))
        balanced |= document["spec"].get("type") == "LoadBalancer" if "spec" in document else False
        balanced |= document.get("spec", {}).get("ingressClassName") == "alb"
    for space in of_kind(documents, "Namespace"):
        gate = space["metadata"].get("labels", {}).get(_GATE)
        if balanced and gate != "enabled":
            yield f"{name_of(space)}: {_GATE} is not enabled: an upgrade leaves a gap"


def _ingress(ingress: Document) -> Iterator[str]:
    spec = ingress["spec"]
    for rule in spec["rules"]:
        for path in rule["http"]["paths"]:
            if (path["path"], path["pathType"]) != ("/", "Prefix"):
                yield "it does not lead every path to the gateway"
            yield from _backend(path["backend"]["service"]["name"], path["backend"]["service"])
    match spec["ingressClassName"]:
        case "alb":
            yield from _alb(ingress["metadata"].get("annotations", {}))
        case "nginx":
            if not spec.get("tls"):
                yield "it has no TLS"
        case other:
            yield f"no controller here has the class {other}"


def _backend(name: str, backend: Document) -> Iterator[str]:
    port = backend["port"]["number"] if isinstance(backend["port"], dict) else backend["port"]
    if name == SERVICE and port != PORT:
        yield "only port 8000 is for the outside; 8265 runs anyone's code"


def _alb(annotations: dict[str, str]) -> Iterator[str]:
    given = {key.removeprefix(_ALB): value for key, value in annotations.items()}
    yield from (f"{key} is not {value}" for key, value in _ONLY.items() if given.get(key) != value)
    if given.get("listen-ports") != json.dumps([{"HTTP": 80}, {"HTTPS": 443}]):
        yield "it does not listen on 80, for the redirect, and on 443"
    if given.get("scheme") not in _SCHEMES:
        yield f"scheme is none of {', '.join(_SCHEMES)}"
    if not re.fullmatch(r"ELBSecurityPolicy-TLS13-\d-\d-20\d\d-\d\d", given.get("ssl-policy", "")):
        yield "ssl-policy admits old versions of TLS"
    certificate = r"arn:aws[\w-]*:acm:[\w-]+:\d{12}:certificate/[0-9a-f-]{36}"
    if not re.fullmatch(certificate, given.get("certificate-arn", "")):
        yield "certificate-arn is no certificate of ACM"
    for network in given.get("inbound-cidrs", "").split(","):
        yield from _network(network.strip())
    attributes = _pairs(given.get("load-balancer-attributes", ""))
    if not 600 <= attributes.pop("idle_timeout.timeout_seconds", 0) <= 4000:
        yield "the idle timeout is shorter than a silent prefill, or longer than AWS allows"
    if attributes != {"routing.http.drop_invalid_header_fields.enabled": "true"}:
        yield "load-balancer-attributes are unknown"
    yield from _drain(_pairs(given.get("target-group-attributes", "")))


def _network(text: str) -> Iterator[str]:
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        yield f"inbound-cidrs: {error}"
        return
    if network.prefixlen == 0:
        yield "the whole world may call"


def _pairs(text: str) -> dict[str, object]:
    """Return the attributes of a load balancer, numbers as such."""
    found = (each.partition("=") for each in text.split(","))
    return {key: int(value) if value.isdigit() else value for key, _, value in found}


def _drain(attributes: dict[str, object]) -> Iterator[str]:
    if attributes.get("deregistration_delay.timeout_seconds") != _DRAIN:
        yield f"the delay of deregistration is not {_DRAIN} s: streams of a pod that ends are cut"
    algorithm = attributes.get("load_balancing.algorithm.type", "least_outstanding_requests")
    if algorithm != "least_outstanding_requests":
        yield "requests go round, to pods that are busy"


def _route(route: Document) -> Iterator[str]:
    for rule in route["spec"]["rules"]:
        for backend in rule["backendRefs"]:
            yield from _backend(backend["name"], backend)
        if rule.get("timeouts", {}).get("request") != "0s":
            yield "the Gateway's own timeout would cut streams"


def _service(service: Document) -> Iterator[str]:
    spec, annotations = service["spec"], service["metadata"].get("annotations", {})
    if not annotations and spec.get("type", "ClusterIP") == "ClusterIP":
        return
    given = {key.removeprefix(_NLB): value for key, value in annotations.items()}
    yield from (
        f"{key} is not {value}" for key, value in _SERVICE.items() if given.get(key) != value
    )
    yield from _drain(_pairs(given.get("target-group-attributes", "")))
    wanted = {"type": "LoadBalancer", "loadBalancerClass": "service.k8s.aws/nlb"}
    wanted |= {"allocateLoadBalancerNodePorts": False}
    yield from (f"{key} is not {value}" for key, value in wanted.items() if spec.get(key) != value)
    if (service["metadata"]["name"], [port["port"] for port in spec["ports"]]) != ("gateway", [80]):
        yield "it is not called gateway or has not port 80, which deploy/README.md names"

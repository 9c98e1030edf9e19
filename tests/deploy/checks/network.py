"""NetworkPolicies, evaluated as a CNI does: who may reach what, and who may not."""

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tests.deploy.checks.manifests import Document, name_of, of_kind

_OPERATORS: Final = {"Exists", "DoesNotExist", "In", "NotIn"}
_OWN: Final = "neuron-gateway"


@dataclass(frozen=True)
class End:
    """One end of a connection: pods by their labels and namespace, or an address."""

    name: str
    labels: dict[str, str] = field(default_factory=dict)
    namespace: str = _OWN
    address: str | None = None


HEAD: Final = End("the head", {"neuron-gateway/role": "head"})
WORKER: Final = End("a worker", {"neuron-gateway/role": "worker"})
OPERATOR: Final = End("the operator", namespace="kuberay-operator")
VALKEY: Final = End("Valkey", {"app.kubernetes.io/name": "valkey"})
MONITORING: Final = End("Prometheus", namespace="monitoring")
WEB_CHAT: Final = End("the web chat", {"app.kubernetes.io/name": "webui"})
OTHER: Final = End("another namespace", namespace="default")
INTERNET: Final = End("the internet", namespace="", address="203.0.113.9")
IDENTITY: Final = End("the agent of Pod Identity", namespace="", address="169.254.170.23")
METADATA: Final = End("the node's metadata", namespace="", address="169.254.169.254")

# From, to, port, protocol: what the service needs.
NEEDED: Final = (
    (WORKER, HEAD, 6379, "TCP"),
    (HEAD, WORKER, 23456, "TCP"),  # Ray's ports are random
    (WORKER, WORKER, 23456, "TCP"),
    (OPERATOR, HEAD, 8265, "TCP"),
    (OTHER, WORKER, 8000, "TCP"),  # load balancers and clients, with API keys
    (WORKER, OTHER, 53, "UDP"),  # names
    (WORKER, OTHER, 53, "TCP"),
    (WORKER, INTERNET, 443, "TCP"),  # S3, the Hugging Face hub
    (HEAD, INTERNET, 6443, "TCP"),  # the API of kind
    (WORKER, IDENTITY, 80, "TCP"),
)
# By the policy that brings them.
OF_A_POLICY: Final = {
    "webui": ((WEB_CHAT, WORKER, 8000, "TCP"), (OTHER, WEB_CHAT, 7860, "TCP")),
    "egress-otlp": ((WORKER, OTHER, 4317, "TCP"), (WORKER, OTHER, 4318, "TCP")),
    "egress-redis": ((WORKER, OTHER, 6379, "TCP"),),
    "valkey": ((HEAD, VALKEY, 6379, "TCP"), (WORKER, VALKEY, 6379, "TCP")),
    "monitoring": (
        (MONITORING, WORKER, 8080, "TCP"),
        (MONITORING, HEAD, 44217, "TCP"),
        (MONITORING, HEAD, 44227, "TCP"),
        (HEAD, MONITORING, 9090, "TCP"),
        (HEAD, MONITORING, 3000, "TCP"),
        (HEAD, MONITORING, 80, "TCP"),
    ),
}
# What nobody needs: each would be a way in, or out with prompts.
DENIED: Final = (
    (OTHER, HEAD, 8265, "TCP"),  # runs anyone's code
    (OTHER, HEAD, 6379, "TCP"),
    (OTHER, HEAD, 8000, "TCP"),
    (OTHER, WORKER, 8080, "TCP"),
    (OTHER, WORKER, 23456, "TCP"),
    (OPERATOR, WORKER, 8265, "TCP"),
    (WORKER, INTERNET, 80, "TCP"),
    (WORKER, INTERNET, 25, "TCP"),
    (WORKER, OTHER, 8000, "TCP"),
    (WORKER, METADATA, 80, "TCP"),  # the node's role
    (OTHER, VALKEY, 6379, "TCP"),
)


def findings(documents: Sequence[Document]) -> Iterator[str]:
    """Yield connections that are shut and needed, or open and not needed."""
    policies = list(of_kind(documents, "NetworkPolicy"))
    if not list(of_kind(documents, "RayService")):
        return
    invalid = [f"{name_of(each)}: {text}" for each in policies for text in _invalid(each["spec"])]
    yield from invalid
    if invalid:
        return
    names = {each["metadata"]["name"] for each in policies}
    more = [flow for name in names & OF_A_POLICY.keys() for flow in OF_A_POLICY[name]]
    for source, target, port, protocol in (*NEEDED, *more):
        if not _allowed(policies, source, target, port, protocol):
            yield f"{source.name} cannot reach {target.name} on {protocol} {port}"
    for source, target, port, protocol in DENIED:
        if _allowed(policies, source, target, port, protocol):
            yield f"{source.name} can reach {target.name} on {protocol} {port}"


def _invalid(spec: Document) -> Iterator[str]:
    yield from (f"{t} is no policy type" for t in set(spec["policyTypes"]) - {"Ingress", "Egress"})
    selectors = [spec["podSelector"], *(s for peer in _peers(spec) for s in _selectors(peer))]
    for selector in selectors:
        wrong = {r["operator"] for r in selector.get("matchExpressions", [])} - _OPERATORS
        yield from (f"{operator} is no operator" for operator in wrong)
    for peer in _peers(spec):
        try:
            ipaddress.ip_network(peer.get("ipBlock", {}).get("cidr", "0.0.0.0/0"))
        except ValueError as error:
            yield str(error)
    protocols = {
        port.get("protocol", "TCP") for rule in _rules(spec) for port in rule.get("ports", [])
    }
    yield from (f"{name} is no protocol" for name in protocols - {"TCP", "UDP", "SCTP"})


def _rules(spec: Document) -> list[dict[str, Any]]:
    return [*spec.get("ingress", []), *spec.get("egress", [])]


def _peers(spec: Document) -> Iterator[dict[str, Any]]:
    for rule in _rules(spec):
        yield from (*rule.get("from", []), *rule.get("to", []))


def _selectors(peer: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from (peer[key] for key in ("podSelector", "namespaceSelector") if key in peer)


def _allowed(policies: list[Document], source: End, target: End, port: int, protocol: str) -> bool:
    out = _passes(policies, "egress", source, target, port, protocol)
    return out and _passes(policies, "ingress", target, source, port, protocol)


def _passes(
    policies: list[Document], way: str, pod: End, peer: End, port: int, protocol: str
) -> bool:
    """Return whether the policies of one end let a connection out, or in."""
    own = [
        policy["spec"]
        for policy in policies
        if pod.namespace == _OWN
        and way.capitalize() in policy["spec"]["policyTypes"]
        and _matches(policy["spec"]["podSelector"], pod.labels)
    ]
    rules = [rule for spec in own for rule in spec.get(way, [])]
    return not own or any(_rule_allows(rule, peer, port, protocol) for rule in rules)


def _rule_allows(rule: dict[str, Any], peer: End, port: int, protocol: str) -> bool:
    ports = rule.get("ports")
    named = ports is None or any(
        (each.get("port", port), each.get("protocol", "TCP")) == (port, protocol) for each in ports
    )
    peers = rule.get("from", rule.get("to"))
    return named and (peers is None or any(_peer_matches(each, peer) for each in peers))


def _peer_matches(wanted: dict[str, Any], peer: End) -> bool:
    if "ipBlock" in wanted:
        network = ipaddress.ip_network(wanted["ipBlock"]["cidr"])
        return peer.address is not None and ipaddress.ip_address(peer.address) in network
    if peer.address is not None:
        return False
    spaces = wanted.get("namespaceSelector")
    in_space = (
        peer.namespace == _OWN
        if spaces is None
        else _matches(spaces, {"kubernetes.io/metadata.name": peer.namespace})
    )
    return in_space and _matches(wanted.get("podSelector", {}), peer.labels)


def _matches(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        _holds(rule, labels) for rule in selector.get("matchExpressions", [])
    )


def _holds(rule: dict[str, Any], labels: dict[str, str]) -> bool:
    present, value = rule["key"] in labels, labels.get(rule["key"])
    match rule["operator"]:
        case "Exists":
            return present
        case "DoesNotExist":
            return not present
        case "In":
            return value in rule["values"]
    return value not in rule["values"]

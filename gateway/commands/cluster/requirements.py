"""What a NodePool of Karpenter allows: its requirements and its limits."""

from collections.abc import Callable
from math import inf
from typing import Any, Final

from engine.neuron import Instance
from gateway.commands.cluster.kubectl import Object
from gateway.commands.cluster.names import NEURON

_PREFIX: Final = "karpenter.k8s.aws/instance"
_OPERATORS: Final[dict[str, Callable[[str | None, list[str]], bool]]] = {
    "In": lambda value, wanted: value in wanted,
    "NotIn": lambda value, wanted: value not in wanted,
    "Exists": lambda value, _: value is not None,
    "DoesNotExist": lambda value, _: value is None,
    "Gt": lambda value, wanted: int(value or 0) > int(wanted[0]),
    "Lt": lambda value, wanted: int(value or 0) < int(wanted[0]),
}


def allows(pool: Object, instance: Instance) -> bool:
    """Return whether a NodePool's requirements on instances allow an instance type.

    Requirements on anything else, such as zones, are not looked at.
    """
    labels = _labels(instance)
    return all(
        _OPERATORS[each["operator"]](labels[each["key"]], each.get("values", []))
        for each in pool["spec"]["template"]["spec"].get("requirements", [])
        if each["key"] in labels and each["operator"] in _OPERATORS
    )


def _labels(instance: Instance) -> dict[str, str | None]:
    """Return the labels that Karpenter gives to a node of an instance type."""
    _, _, size = instance.name.partition(".")
    return {
        "node.kubernetes.io/instance-type": instance.name,
        "kubernetes.io/arch": "amd64",
        f"{_PREFIX}-family": instance.family,
        f"{_PREFIX}-category": instance.family.rstrip("n0123456789"),
        f"{_PREFIX}-generation": "".join(filter(str.isdigit, instance.family)),
        f"{_PREFIX}-size": size,
        f"{_PREFIX}-cpu": str(instance.vcpus),
        f"{_PREFIX}-memory": str(instance.host_gib * 1024),
        f"{_PREFIX}-gpu-name": None,
    }


def limit(pool: Object) -> float:
    """Return the most Neuron devices that a NodePool may have; infinite without a limit."""
    limits: dict[str, Any] = pool["spec"].get("limits") or {}
    return float(limits.get(NEURON, inf))

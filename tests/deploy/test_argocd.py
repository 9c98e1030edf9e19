"""The example of an Argo CD application."""

from pathlib import Path

import pytest
import yaml

from tests.deploy.chart import Helm, group_of
from tests.deploy.chart_files import CHART
from tests.deploy.checks import findings
from tests.deploy.checks.kinds.crd_schema import with_defaults
from tests.deploy.checks.kinds.custom import schemas
from tests.deploy.checks.manifests import DEPLOY, ROOT, documents, of_kind, overlay, rendered

pytestmark = [
    pytest.mark.deploy,
    pytest.mark.timeout(120),
    pytest.mark.filterwarnings("ignore"),  # Ray's own
]

APPLICATION = yaml.safe_load((DEPLOY / "k8s/argocd/application.yaml").read_text("utf-8"))


def test_argo_renders_the_chart_with_values_that_it_admits(helm: Helm, tmp_path: Path) -> None:
    source = APPLICATION["spec"]["source"]
    (file := tmp_path / "values.yaml").write_text(yaml.safe_dump(source["helm"]["valuesObject"]))
    found = helm.template("--values", str(file)) + documents(rendered("karpenter"))
    assert ROOT / source["path"] == CHART
    assert findings(found) == []
    assert source["helm"]["releaseName"] == "neuron-gateway"


def test_argo_makes_the_namespace_of_the_overlays() -> None:
    (namespace,) = of_kind(overlay("inf2-8xlarge"), "Namespace")
    policy = APPLICATION["spec"]["syncPolicy"]
    assert APPLICATION["spec"]["destination"]["namespace"] == namespace["metadata"]["name"]
    assert policy["managedNamespaceMetadata"]["labels"] == namespace["metadata"]["labels"]
    assert "CreateNamespace=true" in policy["syncOptions"]


def test_argo_compares_as_the_server_that_fills_in_defaults() -> None:
    (service,) = of_kind(overlay("inf2-8xlarge"), "RayService")
    stored = with_defaults(schemas()[("ray.io/v1", "RayService")], service)
    assert group_of([stored]) != group_of([service])
    options = APPLICATION["metadata"]["annotations"]["argocd.argoproj.io/compare-options"]
    assert options == "ServerSideDiff=true"
    assert "ServerSideApply=true" in APPLICATION["spec"]["syncPolicy"]["syncOptions"]


def test_argo_ignores_what_is_a_start_value_and_still_applies_the_workers() -> None:
    (ignored,) = APPLICATION["spec"]["ignoreDifferences"]
    assert (ignored["group"], ignored["kind"]) == ("ray.io", "RayService")
    assert ignored["jqPathExpressions"] == [".spec.rayClusterConfig.workerGroupSpecs[]?.replicas"]
    # With a path into a list Argo CD would apply the live list, with the old image, at each sync.
    options = APPLICATION["spec"]["syncPolicy"]["syncOptions"]
    assert "RespectIgnoreDifferences=true" not in options

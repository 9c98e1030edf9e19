"""The Helm chart: its objects are those of the overlays, and pass their checks."""

import json
import re
from pathlib import Path

import pytest
import yaml

from tests.deploy.chart import TOGETHER, Helm, enabled, in_order
from tests.deploy.chart_files import CHART, COMPONENTS, monitors
from tests.deploy.checks import CHECKS
from tests.deploy.checks.manifests import DEPLOY, OVERLAYS, documents, name_of, of_kind, rendered
from tests.deploy.overlays import with_components
from tests.deploy.rendered import files
from tests.deploy.test_versions import pins

pytestmark = [
    pytest.mark.deploy,
    pytest.mark.timeout(120),
    pytest.mark.filterwarnings("ignore"),  # Ray's own
]

SCHEMA = json.loads((CHART / "values.schema.json").read_text("utf-8"))
VALUES = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))


def test_lint_finds_nothing(helm: Helm) -> None:
    done = helm.run("lint", "--strict", str(CHART))
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("size", OVERLAYS)
def test_a_size_is_its_overlay(helm: Helm, size: str) -> None:
    found = helm.template("--set", f"size={size}")
    assert in_order(found) == in_order(documents(rendered(f"k8s/overlays/{size}")))


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_component_is_that_of_the_overlays(helm: Helm, tmp_path: Path, component: str) -> None:
    by_kustomize = documents(with_components(tmp_path, "inf2-8xlarge", [component]))
    by_kustomize += monitors() if component == "monitoring" else []
    assert in_order(helm.template(*enabled(component))) == in_order(by_kustomize)


@pytest.mark.parametrize("size", ["inf2-8xlarge", "inf2-48xlarge-70b", "trn1-32xlarge"])
def test_components_together_are_those_of_the_overlay(
    helm: Helm, tmp_path: Path, size: str
) -> None:
    by_kustomize = documents(with_components(tmp_path, size, sorted({*TOGETHER} - {"webui"})))
    by_kustomize += [*monitors(), *documents(rendered("k8s/webui"))]
    found = helm.template("--set", f"size={size}", *enabled(*TOGETHER))
    assert in_order(found) == in_order(by_kustomize)


def test_the_monitors_are_those_of_the_monitoring_folder_but_of_nodes() -> None:
    whole = documents(rendered("monitoring"))
    mine = [
        each | {"metadata": each["metadata"] | {"namespace": "monitoring"}} for each in monitors()
    ]
    others = [name_of(each) for each in whole if each not in mine]
    assert others == ["DaemonSet/neuron-monitor", "PodMonitor/neuron-monitor"]


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize(
    "options",
    [
        ["--set", "size=inf2-24xlarge", *enabled(*TOGETHER)],
        ["--set", "worker.minReplicas=2,worker.maxReplicas=5", *enabled("incremental-upgrade")],
        ["--set", "size=cpu,worker.maxReplicas=4", *enabled("webui", "ingress-nginx")],
    ],
    ids=["together", "more workers", "cpu"],
)
def test_a_release_has_no_mistake(helm: Helm, options: list[str], check: str) -> None:
    found = helm.template(*options) + documents(rendered("karpenter"))
    assert list(CHECKS[check](found)) == []


def test_a_release_is_in_its_namespace_alone(helm: Helm) -> None:
    here, there = (
        helm.template(*enabled(*TOGETHER), namespace=name) for name in ("neuron-gateway", "prod")
    )
    assert {each["metadata"]["namespace"] for each in there} == {"prod"}
    (monitor,) = of_kind(there, "PodMonitor")
    assert monitor["spec"]["namespaceSelector"] == {"matchNames": ["prod"]}
    (binding,) = of_kind(there, "RoleBinding")
    assert binding["subjects"][0]["namespace"] == "prod"
    assert len(here) == len(there)


def test_the_schema_lists_the_sizes_and_the_components() -> None:
    properties = SCHEMA["properties"]
    assert properties["size"]["enum"] == list(OVERLAYS)
    components = properties["components"]["properties"]
    assert components.keys() == VALUES["components"].keys() == {*COMPONENTS, "webui"}
    assert properties.keys() == {*VALUES, "global"}


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_components_parameters_are_those_of_its_env_file(component: str) -> None:
    given = {
        re.sub(r"([A-Z])", r"_\1", key).upper(): value
        for key, value in VALUES["components"][component].items()
        if key != "enabled"
    }
    found = list((DEPLOY / "k8s/components" / component).glob("*.env"))
    lines = [line for file in found for line in file.read_text("utf-8").split()]
    assert given == dict(line.split("=", 1) for line in lines)


def test_the_chart_has_the_version_of_the_gateway() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))
    assert chart["version"] == chart["appVersion"] == pins()["GATEWAY"]


def test_the_chart_has_no_file_that_is_not_made() -> None:
    found = {str(path.relative_to(DEPLOY)) for path in (CHART / "files").rglob("*.yaml")}
    assert found == {path for path in files() if path.startswith("chart/")}


def test_notes_say_what_is_still_to_be_given(helm: Helm) -> None:
    install = ("install", "gateway", str(CHART), "--namespace", "prod", "--dry-run=client")
    assert "image.registry is not set" in helm.run(*install).stdout
    notes = helm.run(*install, "--set", "image.registry=registry.test,keysSecret=mine").stdout
    assert "image.registry is not set" not in notes
    assert "the Secret mine with keys.yaml" in notes

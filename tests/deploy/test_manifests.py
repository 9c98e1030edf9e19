"""Every overlay and component, rendered and checked; see `checks`."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.checks import CHECKS, findings
from tests.deploy.checks.autoscaler import seen
from tests.deploy.checks.manifests import (
    DEPLOY,
    ON_NEURON,
    OVERLAYS,
    documents,
    of_kind,
    overlay,
    rendered,
)
from tests.deploy.overlays import with_components
from tests.deploy.rendered import files

pytestmark = [
    pytest.mark.deploy,
    pytest.mark.timeout(120),
    pytest.mark.filterwarnings("ignore"),  # Ray's own
]

COMPONENTS = sorted(path.name for path in (DEPLOY / "k8s" / "components").iterdir())


@pytest.mark.parametrize("name", OVERLAYS)
@pytest.mark.parametrize("check", CHECKS)
def test_an_overlay_has_no_mistake(name: str, check: str) -> None:
    assert list(CHECKS[check](overlay(name))) == []


@pytest.mark.parametrize(
    "folder",
    [
        "karpenter",
        "k8s/jobs/model-sync",
        "k8s/overlays/inf2-48xlarge-70b/model-sync",
        "k8s/webui",
        "monitoring",
    ],
)
def test_a_kustomization_of_its_own_has_no_mistake(folder: str) -> None:
    # They stand beside an overlay, whose pods they select.
    beside = overlay("inf2-8xlarge")
    own = [each for each in documents(rendered(folder)) if each not in beside]
    assert findings([*beside, *own]) == []


@pytest.mark.parametrize("name", ON_NEURON)
def test_a_precompile_job_has_no_mistake(name: str) -> None:
    job = documents(rendered(f"k8s/overlays/{name}/precompile"))
    assert findings([*job, *documents(rendered("karpenter"))]) == []


@pytest.mark.parametrize(
    "component", [c for c in COMPONENTS if c not in ("inf2", "model-cache-s3", "trn1")]
)
def test_a_component_adds_no_mistake(tmp_path: Path, component: str) -> None:
    text = with_components(tmp_path, "inf2-8xlarge", [component])
    assert text != rendered("k8s/overlays/inf2-8xlarge")
    assert findings(documents(text) + documents(rendered("karpenter"))) == []


def test_all_compatible_components_render_together(tmp_path: Path) -> None:
    together = ["ingress-alb", "gcs-ft", "monitoring", "office-hours", "new-cluster-upgrade"]
    text = with_components(tmp_path, "inf2-48xlarge", together)
    assert findings(documents(text) + documents(rendered("karpenter"))) == []


def test_an_ingress_and_an_incremental_upgrade_are_incompatible(tmp_path: Path) -> None:
    text = with_components(tmp_path, "inf2-8xlarge", ["ingress-alb", "incremental-upgrade"])
    (found,) = findings(documents(text) + documents(rendered("karpenter")))
    assert "no Service is called neuron-gateway-serve-svc" in found


@pytest.mark.parametrize(("name", "cores"), ON_NEURON.items())
def test_rays_autoscaler_sees_the_cores_of_a_node(name: str, cores: int) -> None:
    (service,) = of_kind(overlay(name), "RayService")
    assert seen(service)[name.partition("-")[0]]["resources"]["neuron_cores"] == cores


@pytest.mark.parametrize(
    "file", ["ray-service.yaml", "gradio-ui.yaml", "monitoring/prometheus-rule.yaml"]
)
def test_generated_files_are_up_to_date(file: str) -> None:
    assert (DEPLOY / file).read_text("utf-8") == files()[file], "run `make rendered`"


def test_yamllint_finds_nothing() -> None:
    rules = "{extends: relaxed, rules: {key-duplicates: enable, line-length: disable, "
    rules += "indentation: {indent-sequences: consistent}}}"
    command = [sys.executable, "-m", "yamllint", "--strict", "-d", rules, str(DEPLOY)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout

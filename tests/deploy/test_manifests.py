"""Every overlay and component, rendered and checked; see `checks`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.checks import CHECKS, findings
from tests.deploy.checks.autoscaler import seen
from tests.deploy.checks.manifests import (
    DEPLOY,
    NEURON,
    ON_NEURON,
    OVERLAYS,
    documents,
    of_kind,
    overlay,
    pods,
    rendered,
)
from tests.deploy.overlays import with_components
from tests.deploy.rendered import files
from tests.deploy.shims.answers import Answer

pytestmark = [
    pytest.mark.deploy,
    pytest.mark.timeout(120),
    pytest.mark.filterwarnings("ignore"),  # Ray's own
]

COMPONENTS = sorted(path.name for path in (DEPLOY / "k8s" / "components").iterdir())
WEIGHTS = {"inf2-48xlarge-70b": 141_107_412_992}  # bytes, of Llama 3.3 70B
LLAMA_3_8B = 16_060_522_496


@pytest.mark.parametrize("name", OVERLAYS)
@pytest.mark.parametrize("check", CHECKS)
def test_an_overlay_has_no_mistake(name: str, check: str) -> None:
    assert list(CHECKS[check](overlay(name))) == []


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("karpenter", "inf2-8xlarge"),
        ("k8s/jobs/model-sync", "inf2-8xlarge"),
        ("k8s/overlays/inf2-48xlarge-70b/model-sync", "inf2-48xlarge-70b"),
        ("k8s/webui", "inf2-8xlarge"),
        ("monitoring", "inf2-8xlarge"),
    ],
)
def test_a_kustomization_of_its_own_has_no_mistake(folder: str, name: str) -> None:
    # They stand beside an overlay, whose pods they select, and whose model they copy.
    beside = overlay(name)
    own = [each for each in documents(rendered(folder)) if each not in beside]
    assert findings([*beside, *own]) == []


@pytest.mark.parametrize("name", ON_NEURON)
def test_a_precompile_job_has_no_mistake(name: str) -> None:
    job = documents(rendered(f"k8s/overlays/{name}/precompile"))
    assert findings([*job, *documents(rendered("karpenter"))]) == []


@pytest.mark.parametrize("name", ON_NEURON)
def test_a_precompile_job_without_a_device_has_no_mistake(name: str) -> None:
    found = documents(rendered(f"k8s/overlays/{name}/precompile-offline"))
    assert findings([*found, *documents(rendered("karpenter"))]) == []


@pytest.mark.parametrize("name", ON_NEURON)
def test_a_job_without_a_device_compiles_the_same_config_with_the_memory_for_it(name: str) -> None:
    (pod,) = pods(documents(rendered(f"k8s/overlays/{name}/precompile-offline")))
    compile_ = pod.spec["initContainers"][1]
    assert compile_["command"][1:3] == ["precompile", "--offline"]
    assert pod.amount(NEURON) == pod.amount(NEURON, "limits") == 0
    assert pod.amount("memory", "limits") >= 2 * WEIGHTS.get(name, LLAMA_3_8B) + 8 * 2**30
    assert pod.spec["nodeSelector"] == {"karpenter.sh/nodepool": "compile"}


def test_compiled_graphs_are_kept_for_the_next_compile_and_not_copied_to_workers() -> None:
    (job,) = pods(documents(rendered("k8s/overlays/inf2-8xlarge/precompile")))
    restore, compile_, _upload = job.containers
    assert "compile-cache" not in restore["args"][0]
    assert "NEURON_COMPILE_CACHE_URL" not in {each["name"] for each in compile_["env"]}
    worker = next(pod for pod in pods(overlay("inf2-8xlarge")) if pod.owner.endswith(" inf2"))
    assert "--exclude 'compile-cache/*'" in worker.containers[0]["args"][0]


def test_artifacts_are_uploaded_with_their_manifest_last(tmp_path: Path) -> None:
    (job,) = pods(documents(rendered("k8s/overlays/inf2-8xlarge/precompile-offline")))
    (tmp_path / "aws").symlink_to(Path(__file__).parent / "shims/shim")
    (tmp_path / "answers").write_text(Answer("aws s3 sync *").line())
    store = {"BUCKET": "store", "MODEL": "8b", "SHIM_FOLDER": str(tmp_path)}
    script = job.spec["containers"][0]["args"][0]
    path = f"{tmp_path}:{os.environ['PATH']}"
    subprocess.run(["bash", "-ec", script], env=store | {"PATH": path}, check=True)
    everything, last = (tmp_path / "calls").read_text().splitlines()
    copy, to = "aws s3 sync --no-progress", "/models/artifacts s3://store/artifacts/8b"
    skipped = "--exclude .* --exclude compile-cache/*.lock"
    assert everything == f"{copy} {skipped} --exclude */neuron-gateway.json {to}"
    assert last == f"{copy} {skipped} {to}"


def test_a_worker_copies_over_the_client_that_is_not_limited_to_one_processor(
    tmp_path: Path,
) -> None:
    worker = next(pod for pod in pods(overlay("inf2-8xlarge")) if pod.owner.endswith(" inf2"))
    (tmp_path / "aws").symlink_to(Path(__file__).parent / "shims/shim")
    (tmp_path / "answers").write_text(Answer("aws *").line())
    store = {"BUCKET": "store", "MODEL": "8b", "SHIM_FOLDER": str(tmp_path)}
    path = f"{tmp_path}:{os.environ['PATH']}"
    script = worker.containers[0]["args"][0]
    done = subprocess.run(["bash", "-ec", script], env=store | {"PATH": path}, capture_output=True)
    assert b"Run the job model-sync first." in done.stderr
    client, bandwidth, weights, artifacts = (tmp_path / "calls").read_text().splitlines()
    assert client == "aws configure set default.s3.preferred_transfer_client crt"
    # More than the disk writes, and little enough for the memory of this container.
    assert bandwidth == "aws configure set default.s3.target_bandwidth 10Gb/s"
    assert weights.endswith(" s3://store/8b /models/8b")
    assert artifacts.endswith(" s3://store/artifacts/8b /models/artifacts")


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


def test_generated_files_are_up_to_date() -> None:
    old = [file for file, text in files().items() if (DEPLOY / file).read_text("utf-8") != text]
    assert old == [], "run `make rendered`"


def test_yamllint_finds_nothing() -> None:
    rules = "{extends: relaxed, ignore: '**/chart/*/templates', "
    rules += "rules: {key-duplicates: enable, line-length: disable, "
    rules += "indentation: {indent-sequences: consistent}}}"
    command = [sys.executable, "-m", "yamllint", "--strict", "-d", rules, str(DEPLOY)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout

"""What the manifests expect of a cluster is what `neuron-gateway doctor --cluster` looks for."""

import json
import re
from collections.abc import Iterator

import pytest

from gateway.commands.cluster import names, operators
from tests.deploy.checks.manifests import (
    DEPLOY,
    ON_NEURON,
    Document,
    Pod,
    documents,
    of_kind,
    pods,
    rendered,
)
from tests.deploy.checks.nodes import POOL, SIZE

pytestmark = pytest.mark.deploy

POOLS = {pool.name: pool for pool in (names.CPU, names.INF2, names.TRN1, names.COMPILE)}
FOLDERS = (
    *(f"k8s/overlays/{name}" for name in ON_NEURON),
    *(f"k8s/overlays/{name}/{job}" for name in ON_NEURON for job in
      ("precompile", "precompile-offline")),
    "k8s/jobs/model-sync",
    "k8s/webui",
)  # fmt: skip


def selecting() -> Iterator[Pod]:
    """Yield every pod of the manifests that selects a pool."""
    for folder in FOLDERS:
        found = pods(documents(rendered(folder)))
        yield from (pod for pod in found if POOL in pod.spec.get("nodeSelector", {}))


def pins() -> dict[str, str]:
    lines = (DEPLOY / "versions.env").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def test_every_pool_that_a_pod_selects_is_looked_for_and_no_other() -> None:
    assert {pod.spec["nodeSelector"][POOL] for pod in selecting()} == set(POOLS)
    assert (names.POOL_LABEL, names.SIZE_LABEL) == (POOL, SIZE)


def test_every_pods_tolerations_are_those_that_are_assumed() -> None:
    for pod in selecting():
        pool = POOLS[pod.spec["nodeSelector"][POOL]]
        tolerated = {(each["key"], each["effect"]) for each in pod.spec.get("tolerations", [])}
        assert tolerated == ({(pool.taint, "NoSchedule")} if pool.taint else set()), pod.owner


def test_every_secret_and_config_map_from_outside_is_looked_for() -> None:
    expected = {"gateway-keys", "hf-token", "model-store"}
    found: set[str] = set()
    for folder in FOLDERS:
        own = documents(rendered(folder))
        made = {each["metadata"]["name"] for each in own if each["kind"] in ("Secret", "ConfigMap")}
        for pod in pods(own):
            text = json.dumps(pod.spec)
            found |= set(re.findall(r'"secretName": "([^"]+)"', text)) - made
            found |= set(re.findall(r'KeyRef": \{[^}]*"name": "([^"]+)"', text)) - made
    assert found == expected


def test_the_keys_of_the_model_store_are_those_that_pods_read() -> None:
    text = json.dumps([pod.spec for folder in FOLDERS for pod in pods(documents(rendered(folder)))])
    keys = re.findall(r'"configMapKeyRef": \{"key": "(\w+)", "name": "model-store"\}', text)
    assert set(keys) == set(names.MODEL_STORE_KEYS)


def test_names_and_versions_are_those_of_the_manifests_and_of_terraform() -> None:
    (namespace,) = of_kind(documents(rendered("k8s/overlays/inf2-8xlarge")), "Namespace")
    assert namespace["metadata"]["name"] == names.NAMESPACE
    policies = rendered("k8s/overlays/inf2-8xlarge")
    assert f"kubernetes.io/metadata.name: {names.OPERATOR_NAMESPACE}" in policies
    assert pins()["KUBERAY"].startswith(f"{operators.KUBERAY}.")
    assert pins()["KUBERAY"] == operators.KUBERAY_CHART
    versions = re.search(r"must be (1\.\d+), .* or (1\.\d+): the pinned charts", _variables())
    assert versions
    assert versions.groups() == tuple(f"1.{minor}" for minor in operators.KUBERNETES)


def _variables() -> str:
    return (DEPLOY / "terraform" / "variables.tf").read_text("utf-8")


def test_the_fields_that_an_old_crd_lacks_are_used() -> None:
    (service,) = of_kind(documents(rendered("k8s/overlays/inf2-8xlarge")), "RayService")
    ray: Document = service["spec"]["rayClusterConfig"]
    for field in operators.FIELDS:
        assert field in ray or field in ray["workerGroupSpecs"][0]

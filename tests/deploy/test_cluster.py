"""What the manifests expect of a cluster is what `neuron-gateway doctor --cluster` looks for."""

import json
import re
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from click.testing import Result
from typer.testing import CliRunner

from gateway.commands.cluster import names, operators
from gateway.commands.main import app
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
from tests.tools import require_tool

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


def _resources(group: str, **kinds: str) -> Document:
    """Return what a group of the API has, as kubectl's discovery reads it."""
    found = [
        {
            "name": name,
            "kind": kind,
            "namespaced": kind not in ("Node", "Namespace"),
            "verbs": ["get", "list"],
        }
        for name, kind in kinds.items()
    ]
    return {"kind": "APIResourceList", "groupVersion": group, "resources": found}


def _refusal(code: int, reason: str, message: str) -> Document:
    details = {"kind": "Status", "apiVersion": "v1", "status": "Failure"}
    return details | {"reason": reason, "code": code, "message": message}


ANSWERS: dict[str, Document] = {
    "/version": {"major": "1", "minor": "35", "gitVersion": "v1.35.2"},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [{"name": "apps", "versions": [{"groupVersion": "apps/v1", "version": "v1"}]}],
    },
    "/api/v1": _resources(
        "v1", nodes="Node", secrets="Secret", configmaps="ConfigMap", namespaces="Namespace"
    ),
    "/apis/apps/v1": _resources("apps/v1", daemonsets="DaemonSet", deployments="Deployment"),
    "/api/v1/nodes": _refusal(403, "Forbidden", 'nodes is forbidden: User "x" cannot list'),
    "/api/v1/namespaces/neuron-gateway/secrets/gateway-keys": {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "columnDefinitions": [{"name": "Name", "type": "string"}],
        "rows": [{"cells": ["gateway-keys"], "object": {"metadata": {"name": "gateway-keys"}}}],
    },
    "/apis/apps/v1/daemonsets": {"kind": "DaemonSetList", "apiVersion": "apps/v1", "items": []},
}


class ApiServer(BaseHTTPRequestHandler):
    """The API of a cluster that has little, and whose nodes may not be read."""

    accepted: ClassVar[dict[str, str]] = {}

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        missing = _refusal(404, "NotFound", f'{path.rpartition("/")[2]} "x" not found')
        body = ANSWERS.get(path, missing)
        type(self).accepted[path] = self.headers["Accept"]
        data = json.dumps(body).encode()
        self.send_response(body.get("code", 200))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def api_server() -> Iterator[int]:
    """Serve the API; yields its port."""
    ApiServer.accepted.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), ApiServer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def doctor(folder: Path, port: int) -> Result:
    """Run `doctor --cluster` with the real kubectl on a port of this machine."""
    require_tool("kubectl")
    contexts = {
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "contexts": [{"name": "mine", "context": {"cluster": "c", "user": ""}}],
        "current-context": "mine",
    }
    file = folder / "kubeconfig"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", **contexts}))
    variables = {"KUBECONFIG": str(file), "HOME": str(folder), "COLUMNS": "500"}
    done = CliRunner().invoke(app, ["doctor", "--cluster"], env=variables)
    assert done.exit_code == 1, done.output
    return done


def line(done: Result, name: str) -> str:
    (found,) = [line for line in done.output.splitlines() if f"│ {name} " in line]
    return found


def test_the_real_kubectls_refusals_are_understood(tmp_path: Path, api_server: int) -> None:
    done = doctor(tmp_path, api_server)
    assert "v1.35.2, context mine" in line(done, "Kubernetes")
    assert "you may not read nodes" in line(done, "Neuron nodes")
    assert "error" in line(done, "KubeRay CRD")
    assert "error" in line(done, "ConfigMap model-store")
    assert "ok" in line(done, "Secret gateway-keys")
    assert "error" in line(done, "device plugin")


def test_of_a_secret_the_real_kubectl_asks_for_a_table(tmp_path: Path, api_server: int) -> None:
    doctor(tmp_path, api_server)
    secrets = {path: kind for path, kind in ApiServer.accepted.items() if "/secrets/" in path}
    assert len(secrets) == 2
    assert all(part.startswith("application/json;as=Table") for kind in secrets.values()
               for part in kind.split(",")[:2])  # fmt: skip


def test_the_real_kubectl_without_a_cluster_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    done = doctor(tmp_path, port)
    assert "was refused" in line(done, "Kubernetes")

"""`neuron-gateway doctor --cluster`: what a cluster has and lacks, with a stand-in for kubectl."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.commands.cluster.kubectl import Unreadable, run
from gateway.commands.main import app
from tests.gateway.commands.cluster_of_files import (
    ROOT,
    ClusterOfFiles,
    crd,
    daemons,
    operator,
    storage_class,
)
from tests.gateway.commands.doctor_table import doctor

SERVE = ROOT / "deploy" / "serve"


NO_CONTEXT = (
    "The connection to the server localhost:8080 was refused - did you specify the right host or "
    "port?"
)


Change = Callable[[ClusterOfFiles], object]


@pytest.fixture
def cluster(tmp_path: Path) -> ClusterOfFiles:
    return ClusterOfFiles.with_everything(tmp_path)


def error_of(*arguments: str) -> str:
    """Run a command that must fail with exit code 2; return its sentence."""
    done = CliRunner().invoke(app, ["doctor", *arguments])
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    (sentence,) = done.stderr.strip().splitlines()
    return sentence


def test_a_cluster_with_everything_needs_nothing(cluster: ClusterOfFiles) -> None:
    shown = doctor(cluster)
    assert (shown.wrong, shown.status) == ({}, 0)
    assert set(shown.rows) == {
        "Kubernetes", "KubeRay CRD", "KubeRay operator", "pool cpu", "pool inf2", "pool trn1",
        "pool compile", "Neuron nodes", "device plugin", "Pod Identity", "network policy",
        "storage class", "namespace", "Secret gateway-keys", "Secret hf-token",
        "ConfigMap model-store",
    }  # fmt: skip
    assert shown.rows["Kubernetes"].seen == "v1.35.2-eks-1a2b3c4, context mine"
    assert "weights-of-mine in us-west-2" in shown.rows["ConfigMap model-store"].seen


MISSING: list[tuple[str, str, str, str]] = [
    ("customresourcedefinition.rayservices.ray.io", "KubeRay CRD", "error", "helm upgrade"),
    ("deployments", "KubeRay operator", "error", "--version 1.7.0"),
    ("storageclasses", "storage class", "warning", "kubectl patch storageclass"),
    ("namespace.neuron-gateway", "namespace", "error", "kubectl create namespace neuron-gateway"),
    ("secret.gateway-keys", "Secret gateway-keys", "error", "secret generic gateway-keys"),
    ("secret.hf-token", "Secret hf-token", "warning", "secret generic hf-token"),
    ("configmap.model-store", "ConfigMap model-store", "error", "create configmap model-store"),
]


@pytest.mark.parametrize(("answer", "name", "state", "fix"), MISSING, ids=lambda text: text[:24])
def test_what_is_missing_is_named_with_its_fix(
    cluster: ClusterOfFiles, answer: str, name: str, state: str, fix: str
) -> None:
    cluster.remove(answer)
    shown = doctor(cluster)
    assert shown.wrong == {name: state}
    assert fix in shown.rows[name].fix
    assert shown.status == (1 if state == "error" else 0)


def without_daemon(name: str) -> Change:
    return lambda cluster: cluster.items(
        "daemonsets", *[each for each in daemons() if each["metadata"]["name"] != name]
    )


def plugin_that_is_not_ready(cluster: ClusterOfFiles) -> None:
    *others, plugin = daemons()
    plugin["status"]["numberReady"] = 0
    cluster.items("daemonsets", *others, plugin)


def policies_that_are_not_enforced(cluster: ClusterOfFiles) -> None:
    network, *others = daemons()
    network["spec"]["template"]["spec"]["containers"][0]["args"] = ["--enable-network-policy=false"]
    cluster.items("daemonsets", network, *others)


WRONG: dict[str, tuple[Change, str, str, str, str]] = {
    "an older operator": (
        lambda c: c.items("deployments", operator(":v1.6.1")),
        "KubeRay operator", "error", "operator:v1.6.1 in kuberay-operator", "helm show crds",
    ),
    "an operator without a version": (
        lambda c: c.items("deployments", operator(":nightly")),
        "KubeRay operator", "warning", "operator:nightly", "no version",
    ),
    "an operator by digest": (
        lambda c: c.items("deployments", operator("@sha256:0123")),
        "KubeRay operator", "warning", "sha256", "no version",
    ),
    "an operator that does not run": (
        lambda c: c.items("deployments", operator(ready=0)),
        "KubeRay operator", "error", "not ready", "describe pods",
    ),
    "an operator where no policy admits it": (
        lambda c: c.items("deployments", operator(namespace="default")),
        "KubeRay operator", "warning", "in default", "network-policy.yaml",
    ),
    "a CRD without tokens": (
        lambda c: c.answer("customresourcedefinition.rayservices.ray.io", crd(cluster={})),
        "KubeRay CRD", "error", "without authOptions", "kubectl apply --server-side",
    ),
    "a CRD without resources of groups": (
        lambda c: c.answer("customresourcedefinition.rayservices.ray.io", crd(workers={})),
        "KubeRay CRD", "error", "without resources", "kubectl apply --server-side",
    ),
    "an old Kubernetes": (
        lambda c: c.answer("version", {"serverVersion": {"minor": "30", "gitVersion": "v1.30.1"}}),
        "Kubernetes", "warning", "v1.30.1", "1.34 to 1.36",
    ),
    "no device plugin": (
        without_daemon("neuron-device-plugin"),
        "device plugin", "error", "no node gets aws.amazon.com/neuron", "neuron-helm-chart",
    ),
    "a device plugin that is not ready": (
        plugin_that_is_not_ready,
        "device plugin", "error", "ready on 0 of 1 nodes", "describe daemonset",
    ),
    "no Pod Identity": (
        without_daemon("eks-pod-identity-agent"),
        "Pod Identity", "warning", "no agent", "aws eks create-addon",
    ),
    "no network policies": (
        policies_that_are_not_enforced,
        "network policy", "warning", "any pod of the cluster reaches Ray", "enableNetworkPolicy",
    ),
    "no default among the storage classes": (
        lambda c: c.items("storageclasses", storage_class(default="false")),
        "storage class", "warning", "no default", "is-default-class",
    ),
    "a model store without a bucket": (
        lambda c: c.answer("configmap.model-store", {"data": {"region": "us-west-2"}}),
        "ConfigMap model-store", "error", "without bucket", "--from-literal=bucket=BUCKET",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_one_line_with_its_fix(
    cluster: ClusterOfFiles, case: tuple[Change, str, str, str, str]
) -> None:
    change, name, state, seen, fix = case
    change(cluster)
    shown = doctor(cluster)
    assert shown.wrong == {name: state}
    assert seen in shown.rows[name].seen
    assert fix in shown.rows[name].fix


def test_another_network_that_enforces_policies_is_known(cluster: ClusterOfFiles) -> None:
    policies_that_are_not_enforced(cluster)
    calico = {"metadata": {"name": "calico-node", "namespace": "calico-system"}}
    spec = {"template": {"spec": {"containers": [{"name": "calico-node", "image": "calico"}]}}}
    cluster.items("daemonsets", calico | {"spec": spec}, *daemons()[1:])
    assert doctor(cluster).rows["network policy"].seen == "calico-node enforces it"


def test_what_may_not_be_read_is_a_warning_and_the_rest_is_examined(
    cluster: ClusterOfFiles,
) -> None:
    cluster.forbid("nodes")
    cluster.forbid("secret.gateway-keys")
    shown = doctor(cluster)
    assert shown.wrong == {
        "node pools": "warning", "Neuron nodes": "warning", "Secret gateway-keys": "warning",
    }  # fmt: skip
    assert "you may not read nodes" in shown.rows["Neuron nodes"].seen
    assert "kubectl auth can-i list nodes" in shown.rows["Neuron nodes"].fix
    assert shown.status == 0


UNREACHABLE = {
    "The connection to the server 10.0.0.1:443 was refused - did you specify the right host or "
    "port?": "public_access_cidrs",
    "Unable to connect to the server: dial tcp 10.0.0.1:443: i/o timeout": "VPN",
    "error: You must be logged in to the server (Unauthorized)": "aws sso login",
    "Unable to connect to the server: getting credentials: exec: executable aws failed with exit "
    "code 255": "aws sso login",
    NO_CONTEXT: "aws eks update-kubeconfig",
    "Error in configuration: context was not found for specified context: a": "use-context",
    "": "kubectl version",
}


@pytest.mark.parametrize("error", UNREACHABLE, ids=lambda text: text[:60])
def test_a_cluster_that_does_not_answer_is_one_line(cluster: ClusterOfFiles, error: str) -> None:
    cluster.fail("version", f"E1127 13:59 memcache.go:265] noise\n{error}" if error else "")
    shown = doctor(cluster)
    assert shown.wrong == {"Kubernetes": "error"}
    assert len(shown.rows) == 1
    assert UNREACHABLE[error] in shown.rows["Kubernetes"].fix
    assert shown.status == 1


def test_what_kubectl_says_is_shown_as_it_is(cluster: ClusterOfFiles) -> None:
    error = "Unable to connect to the server: [/home/me] dial tcp [fe80::1]:443: i/o timeout"
    cluster.fail("version", error)
    assert doctor(cluster).rows["Kubernetes"].seen == error


def test_without_kubectl_the_fix_is_to_install_it(cluster: ClusterOfFiles, tmp_path: Path) -> None:
    shown = doctor(cluster, PATH=str(tmp_path))
    assert shown.wrong == {"Kubernetes": "error"}
    assert "kubernetes.io/docs/tasks/tools" in shown.rows["Kubernetes"].fix


def test_a_kubectl_that_prints_something_else_is_named(cluster: ClusterOfFiles) -> None:
    (cluster.folder / "version.json").write_text("Client Version: v1.10")
    assert "no JSON" in doctor(cluster).rows["Kubernetes"].seen


def test_a_kubectl_that_waits_for_a_login_is_ended(
    cluster: ClusterOfFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(cluster.folder / "hang")
    for name, value in cluster.variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Unreadable, match="did not end in time"):
        run("version", seconds=0.1)


def test_a_pod_with_an_account_needs_no_context(cluster: ClusterOfFiles) -> None:
    cluster.remove("context")
    cluster.fail("context", "error: current-context is not set")
    shown = doctor(cluster)
    assert shown.wrong == {}
    assert "without a context" in shown.rows["Kubernetes"].seen


def test_nothing_is_changed_and_no_secret_is_read(cluster: ClusterOfFiles) -> None:
    doctor(cluster)
    assert {call.split()[0] for call in cluster.calls} == {"get", "version", "config"}
    assert all(call.endswith("--request-timeout=20s") for call in cluster.calls)
    secrets = [call for call in cluster.calls if call.startswith("get secret")]
    # A table of an object, which the API server makes, has the number of its keys alone.
    assert secrets
    assert not any("output" in call for call in secrets)


def test_another_namespace_is_looked_into(cluster: ClusterOfFiles) -> None:
    cluster.remove("secret.gateway-keys")
    cluster.remove("namespace.neuron-gateway")
    shown = doctor(cluster, "--namespace", "chat")
    assert "kubectl create namespace chat" in shown.rows["namespace"].fix
    assert "kubectl -n chat create secret" in shown.rows["Secret gateway-keys"].fix
    assert any("secret hf-token --namespace=chat" in call for call in cluster.calls)


def test_options_that_belong_to_the_other_examination_are_refused(tmp_path: Path) -> None:
    assert error_of() == "doctor: give a config file, or --cluster."
    config = str(SERVE / "simulated.yaml")
    assert "--namespace: is for --cluster" in error_of(config, "--namespace", "chat")
    assert "--report: is of a node" in error_of("--cluster", "--report", str(tmp_path / "r.json"))
    assert "no-such.yaml: cannot be read" in error_of("--cluster", "no-such.yaml")


def test_the_list_of_what_a_cluster_must_have_names_every_line(cluster: ClusterOfFiles) -> None:
    text = (ROOT / "deploy" / "README.md").read_text("utf-8")
    table = text.partition("What the cluster must have:")[2].partition("\n\nWith")[0]
    rows = [row.strip("|").split("|") for row in table.splitlines() if row.startswith("| ")][1:]
    named = {name for row in rows for name in re.findall(r"`([^`]+)`", row[2])}
    lines = {name for name in named if not name.startswith(("aws ", "kubectl "))}
    shown = doctor(cluster, SERVE / "inf2-8xlarge-llama3-8b.yaml").rows
    shown |= doctor(cluster, SERVE / "trn1-32xlarge-llama3-8b.yaml").rows
    assert lines == {re.sub(r"^instance .*", "instance …", name) for name in shown}

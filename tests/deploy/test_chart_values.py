"""What the values of the Helm chart change, and what is refused."""

import re

import pytest

from tests.deploy.chart import Helm, args_of, enabled, group_of, service_of, values
from tests.deploy.checks import findings
from tests.deploy.checks.manifests import (
    DEPLOY,
    OVERLAYS,
    Document,
    documents,
    of_kind,
    pods,
    rendered,
)
from tests.deploy.test_versions import pins

pytestmark = [
    pytest.mark.deploy,
    pytest.mark.timeout(120),
    pytest.mark.filterwarnings("ignore"),  # Ray's own
]

DIGEST = "sha256:" + "0123456789abcdef" * 4
GROUP = "/spec/rayClusterConfig/workerGroupSpecs/0"


def images_of(found: list[Document]) -> set[str]:
    """Return every image."""
    return {container["image"] for pod in pods(found) for container in pod.containers}


def test_images_come_from_a_registry_by_tag_or_digest(helm: Helm) -> None:
    image = {"registry": "registry.test:5000/own", "tag": "9.9", "digests": {"neuron": DIGEST}}
    found = helm.template(*values({"image": image}), *enabled("webui"))
    assert images_of(found) == {
        "registry.test:5000/own/gateway:9.9",
        f"registry.test:5000/own/neuron@{DIGEST}",
        "registry.test:5000/own/webui:9.9",
        pins()["AWS_CLI_IMAGE"],
    }


@pytest.mark.parametrize("size", OVERLAYS)
def test_a_registry_leaves_the_tags_of_the_overlay(helm: Helm, size: str) -> None:
    plain = images_of(helm.template("--set", f"size={size}"))
    found = images_of(helm.template("--set", f"size={size},image.registry=registry.test/own"))
    own = {re.sub(r".*(/(gateway|neuron)[:@])", r"registry.test/own\1", image) for image in plain}
    assert found == own != plain


@pytest.mark.parametrize("size", OVERLAYS)
def test_replicas_of_the_model_follow_the_workers(helm: Helm, size: str) -> None:
    before = helm.template("--set", f"size={size}")
    found = helm.template("--set", f"size={size},worker.minReplicas=2,worker.maxReplicas=6")
    old, new = (group_of(each) for each in (before, found))
    assert (new["minReplicas"], new["replicas"], new["maxReplicas"]) == (2, 2, 6)
    was = args_of(before)["models"][0].get("replicas", {"min": 1, "max": 1})
    on_a_node = was["max"] // old["maxReplicas"]
    assert args_of(found)["models"][0]["replicas"] == {"min": 2 * on_a_node, "max": 6 * on_a_node}
    assert findings(found + documents(rendered("karpenter"))) == []


def test_args_are_merged_into_the_gateways_config(helm: Helm) -> None:
    found = helm.template(*values({"serve.args": {"limits": {"max_queued": 64}}}))
    expected = args_of(helm.template())
    expected["limits"]["max_queued"] = 64
    assert args_of(found) == expected
    (config,) = (e for e in of_kind(found, "ConfigMap") if e["metadata"]["name"] == "serve-config")
    assert config["data"] == {"serve.yaml": service_of(found)["serveConfigV2"]}
    assert findings(found + documents(rendered("karpenter"))) == []


def test_a_whole_serve_config_is_used_as_it_is(helm: Helm) -> None:
    file = DEPLOY / "k8s/overlays/inf2-24xlarge/config/serve.yaml"
    found = helm.template("--set-file", f"serve.config={file}")
    assert service_of(found)["serveConfigV2"] == file.read_text("utf-8")


def test_a_cluster_of_another_kind_has_its_own_selectors_and_memory(helm: Helm) -> None:
    limits = {"limits": {"cpu": 16, "memory": "64Gi"}, "requests": {"cpu": 16, "memory": "64Gi"}}
    given = {
        "worker.resources": limits,
        "worker.nodeSelector": {"node.example/kind": "neuron"},
        "worker.tolerations": [],
        "head.nodeSelector": {},
        "head.env": [{"name": "A", "value": "b"}],
    }
    group = group_of(found := helm.template(*values(given)))
    pod, container = group["template"]["spec"], group["template"]["spec"]["containers"][0]
    neuron = {"aws.amazon.com/neuron": "1"}
    assert container["resources"] == {key: each | neuron for key, each in limits.items()}
    assert group["resources"] == {"CPU": "16", "neuron_cores": "2"}
    assert (pod["nodeSelector"], pod["tolerations"]) == ({"node.example/kind": "neuron"}, [])
    head = service_of(found)["rayClusterConfig"]["headGroupSpec"]["template"]["spec"]
    assert head["nodeSelector"] == {}
    assert head["containers"][0]["env"] == [{"name": "A", "value": "b"}]


def test_names_of_what_exists_already_are_values(helm: Helm) -> None:
    annotation = {"eks.amazonaws.com/role-arn": "arn:aws:iam::000000000000:role/reader"}
    given = {
        "keysSecret": "keys-of-prod",
        "modelFolder": "Mistral-7B",
        "imagePullSecrets": ["login"],
        "serviceAccount.annotations": annotation,
        "labels": {"team": "ml"},
    }
    found = helm.template(*values(given), *enabled("webui"))
    pod = group_of(found)["template"]["spec"]
    volumes = {each["name"]: each for each in pod["volumes"]}
    assert volumes["keys"]["secret"]["secretName"] == "keys-of-prod"
    assert {"name": "MODEL", "value": "Mistral-7B"} in pod["initContainers"][0]["env"]
    assert [each.spec.get("imagePullSecrets") for each in pods(found)] == [[{"name": "login"}]] * 3
    accounts = {e["metadata"]["name"]: e["metadata"] for e in of_kind(found, "ServiceAccount")}
    assert accounts["neuron-gateway"]["annotations"] == annotation
    assert all(each["metadata"]["labels"]["team"] == "ml" for each in found)


def test_patches_change_what_no_value_does(helm: Helm) -> None:
    operations = [
        {"op": "add", "path": f"{GROUP}/template/spec/priorityClassName", "value": "high"},
        {"op": "add", "path": f"{GROUP}/template/spec/containers/0/env/-", "value": {"name": "Z"}},
        {"op": "replace", "path": f"{GROUP}/template/spec/volumes/1", "value": {"name": "home"}},
        {"op": "remove", "path": f"{GROUP}/template/spec/containers/0/ports/1"},
        {"op": "remove", "path": f"{GROUP}/template/spec/nodeSelector/karpenter.sh~1nodepool"},
    ]
    expected = group_of(helm.template())["template"]["spec"]
    expected["priorityClassName"] = "high"
    expected["containers"][0]["env"].append({"name": "Z"})
    expected["volumes"][1] = {"name": "home"}
    del expected["containers"][0]["ports"][1]
    del expected["nodeSelector"]["karpenter.sh/nodepool"]
    assert group_of(helm.template(*values({"patches": operations})))["template"]["spec"] == expected


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("size=inf2-xlarge", "at '/size': value must be one of 'inf2-8xlarge'"),
        ("image.digests.neuron=sha256:abc", "at '/image/digests/neuron': 'sha256:abc' does not"),
        ("image.registry=https://registry.test/", "at '/image/registry'"),
        ("imgae.tag=1", "additional properties 'imgae' not allowed"),
        ("worker.replicas=2", "at '/worker': additional properties 'replicas' not allowed"),
        ("components.ingress.enabled=true", "at '/components': additional properties 'ingress'"),
        ("components.ingress-alb.scheme=public", "at '/components/ingress-alb/scheme': value"),
        ("worker.maxReplicas=0", "at '/worker/maxReplicas': minimum: got 0, want 1"),
        ("worker.resources.limits.cpu=1500m", "at '/worker/resources/limits/cpu'"),
        (
            "worker.minReplicas=3,worker.maxReplicas=2",
            "worker.minReplicas is 3 and worker.maxReplicas is 2: set a maximum of 3 or more.",
        ),
        (
            "components.worker-budget.enabled=true,worker.minReplicas=1",
            "set worker.minReplicas to 2 or more",
        ),
        ("components.worker-budget.enabled=true,size=cpu", "set a maximum of 2 or more"),
        ("serve.config=gateway", "serve.config is no Serve config: it has no applications."),
        (
            "patches[0].op=add,patches[0].path=/spec/cluster/name,patches[0].value=a",
            "patches: /spec/cluster/name: the RayService has no cluster there.",
        ),
        (
            "patches[0].op=remove,patches[0].path=/spec/suspend",
            "patches: /spec/suspend: the RayService has no suspend there.",
        ),
        (
            f"patches[0].op=replace,patches[0].path={GROUP}/template/spec/volumes/9",
            "volumes/9: the RayService has no 9 there.",
        ),
        ("worker=null", "missing property 'worker'"),
        ("serve.args.keys_file=", "has no keys_file: anyone could call."),
        (
            "serve.args.limits.max_request_seconds=1800",
            "limits.max_request_seconds is 1800, longer than rayClusterDeletionDelaySeconds",
        ),
    ],
)
def test_a_wrong_value_is_refused_with_a_sentence(
    helm: Helm, arguments: str, sentence: str
) -> None:
    assert sentence in helm.refusal("--set", arguments)


def test_a_config_of_one_machine_is_refused(helm: Helm) -> None:
    file = DEPLOY / "serve" / "inf2-8xlarge-llama3-8b.yaml"
    refusal = helm.refusal("--set-file", f"serve.config={file}")
    assert "serve.config: http_options.host is not 0.0.0.0" in refusal


def test_longer_requests_are_admitted_with_longer_pods(helm: Helm) -> None:
    long = [
        {"op": "replace", "path": "/spec/rayClusterDeletionDelaySeconds", "value": 1860},
        {"op": "replace", "path": f"{GROUP}/template/spec/terminationGracePeriodSeconds",
         "value": 1860},
    ]  # fmt: skip
    args = {"limits": {"max_request_seconds": 1800}}
    found = helm.template(*values({"serve.args": args, "patches": long}))
    assert args_of(found)["limits"]["max_request_seconds"] == 1800


@pytest.mark.parametrize(
    "pair",
    [
        ("ingress-alb", "ingress-nginx"),
        ("new-cluster-upgrade", "incremental-upgrade"),
        ("ingress-alb", "incremental-upgrade"),
        ("gateway-api", "incremental-upgrade"),
    ],
    ids=" and ".join,
)
def test_components_that_exclude_each_other_are_refused(helm: Helm, pair: tuple[str, str]) -> None:
    names = " and ".join(f"components.{name}" for name in pair)
    assert f"{names} exclude each other" in helm.refusal(*enabled(*pair))

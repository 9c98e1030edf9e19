"""deploy/terraform with the real terraform and stand-in providers that have the real schemas."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.shims.answers import INSTALL, NOTHING_THERE, TOOLS, Answer
from tests.deploy.shims.providers import served_providers
from tests.deploy.shims.rehearsal import DEPLOY, VARIABLES, Rehearsal, prepare, real_environment
from tests.tools import require_tool

pytestmark = [pytest.mark.deploy, pytest.mark.timeout(180)]

FOLDER = DEPLOY / "terraform"
ROOT = DEPLOY.parent
SCRIPTS = [
    *sorted(FOLDER.glob("*.sh")),
    DEPLOY / "docker" / "build.sh",
    Path(__file__).parent / "shims" / "shim",
]
SET = ("-var-file=blueprint.tfvars", "-var=region=us-west-2", "-input=false")
REAL = Answer("terraform *", status="real")
ALL_ON = (
    "-var=enable_image_build=true",
    "-var=enable_valkey=true",
    "-var=valkey_password=0123456789abcdef0123",
    '-var=admin_principal_arns=["arn:aws:iam::123456789012:role/admin"]',
)


@pytest.fixture(scope="module")
def providers() -> Iterator[dict[str, str]]:
    require_tool("terraform")
    with served_providers() as environment:
        yield environment


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, providers: dict[str, str]) -> Path:
    """A copy of the folder after `terraform init`."""
    copy = tmp_path_factory.mktemp("terraform") / "copy"
    ignored = shutil.ignore_patterns(".terraform*", "*.tfstate*", "*.tfvars")
    shutil.copytree(FOLDER, copy, ignore=ignored)
    (copy / "blueprint.tfvars").write_text(VARIABLES)
    terraform(copy, providers, "init", "-backend=false", "-input=false")
    return copy


def terraform(folder: Path, providers: dict[str, str], *arguments: str, status: int = 0) -> str:
    done = subprocess.run(
        ["terraform", *arguments], cwd=folder, env=real_environment(providers),
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def variables() -> dict[str, str]:
    """Return the text of each variable."""
    text = "".join(path.read_text() for path in sorted(FOLDER.glob("variables*.tf")))
    parts = re.split(r'^variable "(\w+)" {$', text, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def pins() -> dict[str, str]:
    lines = (DEPLOY / "versions.env").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def default(name: str) -> str:
    found = re.search(r'default +=\s+"([^"]+)"', variables()[name])
    assert found
    return found[1]


def test_files_are_formatted() -> None:
    done = subprocess.run(
        [require_tool("terraform"), "fmt", "-check", "-recursive"],
        cwd=FOLDER,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_it_is_valid(folder: Path, providers: dict[str, str]) -> None:
    assert "Success!" in terraform(folder, providers, "validate")


def test_its_own_tests_pass(folder: Path, providers: dict[str, str]) -> None:
    out = terraform(folder, providers, "test", "-no-color")
    assert re.search(r"Success! \d+ passed, 0 failed", out), out


@pytest.fixture(scope="module")
def applied(folder: Path, providers: dict[str, str]) -> Any:
    """The state after an apply with all options on."""
    terraform(folder, providers, "apply", "-auto-approve", *SET, *ALL_ON)
    return json.loads(terraform(folder, providers, "show", "-json"))["values"]


def resources(module: dict[str, Any]) -> list[dict[str, Any]]:
    inner = [one for child in module.get("child_modules", []) for one in resources(child)]
    return [*module.get("resources", []), *inner]


def values(applied: Any, kind: str) -> list[dict[str, Any]]:
    found = resources(applied["root_module"])
    return [one["values"] for one in found if one["type"] == kind]


def test_a_second_plan_finds_nothing_to_do(
    folder: Path, providers: dict[str, str], applied: Any
) -> None:
    terraform(folder, providers, "plan", "-detailed-exitcode", *SET, *ALL_ON)


def test_policies_are_short_enough_for_iam_and_name_what_they_allow(applied: Any) -> None:
    policies = values(applied, "aws_iam_policy") + values(applied, "aws_iam_role_policy")
    assert len(policies) == 8
    for policy in (each["policy"] for each in policies):
        assert len(re.sub(r"\s", "", policy)) <= 6144
        statements = json.loads(policy)["Statement"]
        assert len({each["Sid"] for each in statements}) == len(statements)
        assert not re.search(r'"(\w+:)?\*"', json.dumps([each["Action"] for each in statements]))


def test_every_role_is_for_one_service_and_every_pods_for_one_account(applied: Any) -> None:
    for role in values(applied, "aws_iam_role"):
        (statement,) = json.loads(role["assume_role_policy"])["Statement"]
        if statement["Principal"] == {"Service": "pods.eks.amazonaws.com"}:
            assert len(statement["Condition"]["StringEquals"]) == 3
        assert len(role["name"]) <= 64


def test_a_build_reads_a_file_of_this_repository_and_sets_what_its_script_wants(
    applied: Any,
) -> None:
    (project,) = values(applied, "aws_codebuild_project")
    buildspec = yaml.safe_load((ROOT / project["source"][0]["buildspec"]).read_text("utf-8"))
    (command,) = buildspec["phases"]["build"]["commands"]
    script = command.removeprefix("bash ")
    wanted = set(re.findall(r"\$\{(REGISTRY|SBOM|TAG)\b", (ROOT / script).read_text("utf-8")))
    given = {each["name"] for each in project["environment"][0]["environment_variable"]}
    assert given | {"TAG"} == wanted
    assert project["environment"][0]["image"] == pins()["CODEBUILD_IMAGE"]


def test_every_association_has_its_role(applied: Any) -> None:
    found = values(applied, "aws_eks_pod_identity_association")
    accounts = {(each["namespace"], each["service_account"]) for each in found}
    assert accounts == {
        ("kube-system", "karpenter"),
        ("kube-system", "aws-load-balancer-controller"),
        ("neuron-gateway", "neuron-gateway"),
        ("neuron-gateway", "model-writer"),
    }


@pytest.mark.parametrize(
    ("variable", "pin", "release"),
    [
        ("karpenter_version", "KARPENTER", "karpenter"),
        ("kuberay_version", "KUBERAY", "kuberay-operator"),
        ("neuron_chart_version", "NEURON_HELM_CHART", "neuron-helm-chart"),
        ("monitoring_chart_version", "KUBE_PROMETHEUS_STACK", "kube-prometheus-stack"),
        ("load_balancer_controller_chart_version", "AWS_LOAD_BALANCER_CONTROLLER_CHART",
         "aws-load-balancer-controller"),
    ],
)  # fmt: skip
def test_charts_are_of_the_pinned_versions(
    applied: Any, variable: str, pin: str, release: str
) -> None:
    assert default(variable) == pins()[pin]
    (chart,) = [each for each in values(applied, "helm_release") if each["name"] == release]
    assert chart["version"] == pins()[pin]


def test_all_goes_again(folder: Path, providers: dict[str, str], applied: Any) -> None:
    terraform(folder, providers, "destroy", "-auto-approve", *SET, *ALL_ON)
    assert terraform(folder, providers, "state", "list") == ""


def test_eks_terraform_and_providers_are_the_pinned_ones() -> None:
    text = (FOLDER / "versions.tf").read_text()
    assert default("eks_version") == pins()["EKS"]
    assert f'required_version = ">= {pins()["TERRAFORM_MIN"]}"' in text
    assert f'"hashicorp/aws", version = "~> {pins()["AWS_PROVIDER"]}"' in text
    assert f'"hashicorp/helm", version = "~> {pins()["HELM_PROVIDER"]}"' in text


def test_every_value_that_can_be_wrong_is_checked_and_every_check_is_tested() -> None:
    checked = {name for name, text in variables().items() if "validation {" in text}
    free = {name for name, text in variables().items() if re.search(r"type += (bool|map)", text)}
    assert checked | free == set(variables())
    refused = re.findall(
        r"expect_failures = \[var\.(\w+)\]", (FOLDER / "tests" / "refusals.tftest.hcl").read_text()
    )
    assert set(refused) == checked


def test_every_refusal_is_a_sentence_that_names_the_variable() -> None:
    for name, text in variables().items():
        for message in re.findall(r'error_message = "((?:[^"\\]|\\.)+)"', text):
            assert message.startswith(f"{name} ")


def test_values_of_charts_are_yaml_and_each_is_used() -> None:
    text = "".join(path.read_text() for path in FOLDER.rglob("*.tf"))
    for path in sorted((FOLDER / "helm-values").iterdir()):
        assert isinstance(yaml.safe_load(path.read_text()), dict)
        assert f"/{path.name}" in text


def test_the_default_storage_class_is_encrypted_gp3() -> None:
    chart = FOLDER / "modules" / "addons" / "storage-class"
    storage = yaml.safe_load((chart / "templates" / "storage-class.yaml").read_text())
    assert storage["parameters"] == {"type": "gp3", "encrypted": "true"}
    assert storage["metadata"]["annotations"] == {
        "storageclass.kubernetes.io/is-default-class": "true"
    }


@pytest.mark.parametrize("command", [["shellcheck", "-x"], ["shfmt", "-d", "-i", "2"]])
def test_scripts_are_clean(command: list[str]) -> None:
    done = subprocess.run(
        [require_tool(command[0]), *command[1:], *map(str, SCRIPTS)],
        cwd=FOLDER,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.fixture
def rehearsal(tmp_path: Path, providers: dict[str, str]) -> Rehearsal:
    """Return a rehearsal with the real terraform."""
    rehearsal = prepare(tmp_path, providers)
    rehearsal.answers(
        [Answer("terraform version", "Terraform v1.11.4\\n"), REAL], TOOLS, INSTALL, NOTHING_THERE
    )
    return rehearsal


def test_a_cluster_comes_stays_goes_and_leaves_only_its_models(rehearsal: Rehearsal) -> None:
    variables = rehearsal.terraform / "blueprint.tfvars"
    variables.write_text(VARIABLES + "enable_image_build = true\n")
    done = rehearsal.run("install.sh", "--yes")
    assert done.status == 0, done.out + done.err
    again = rehearsal.run("install.sh", "--yes")
    assert again.out.count("0 added, 0 changed, 0 destroyed") == 5
    gone = rehearsal.run("cleanup.sh", "--yes")
    assert gone.status == 0, gone.out + gone.err
    state = json.loads((rehearsal.terraform / "terraform.tfstate").read_text())
    managed = [one for one in state["resources"] if one["mode"] == "managed"]
    assert {one.get("module") for one in managed} == {"module.model_store"}
    assert {"aws_s3_bucket", "aws_ecr_repository"} <= {one["type"] for one in managed}
    assert "aws_iam_role" not in {one["type"] for one in managed}
    rehearsal.run("cleanup.sh", "--yes", "--delete-models")
    state = json.loads((rehearsal.terraform / "terraform.tfstate").read_text())
    assert state["resources"] == []


def test_a_wrong_value_is_refused_before_anything_is_made(rehearsal: Rehearsal) -> None:
    (rehearsal.terraform / "blueprint.tfvars").write_text('public_access_cidrs = ["0.0.0.0/0"]\n')
    done = rehearsal.run("install.sh", "--yes")
    assert done.status == 15
    assert "must not open the API server to the whole internet" in done.err
    assert "Fix it in" in done.err
    assert rehearsal.changes() == []


def test_a_network_is_not_made_anew_unasked(rehearsal: Rehearsal) -> None:
    rehearsal.answers(
        [Answer("terraform plan *=module.eks", "no\\n", "1", "1"), REAL], TOOLS, INSTALL
    )
    assert rehearsal.run("install.sh", "--yes").status == 20
    variables = rehearsal.terraform / "blueprint.tfvars"
    variables.write_text(VARIABLES + 'zones = ["us-west-2b", "us-west-2c", "us-west-2d"]\n')
    rehearsal.forget()
    done = rehearsal.run("install.sh", "--yes")
    assert done.status == 22
    assert 'module.vpc[0].aws_subnet.private["us-west-2a"]' in done.errors[0]
    assert rehearsal.changes() == []
    variables.write_text(VARIABLES + 'name = "chat"\n')
    other = rehearsal.run("install.sh", "--yes")
    assert other.status == 19
    assert "the cluster neuron-gateway in us-west-2, and you mean chat" in other.errors[0]


def test_a_cluster_in_an_existing_network_comes_and_goes_without_touching_it(
    rehearsal: Rehearsal,
) -> None:
    variables = rehearsal.terraform / "blueprint.tfvars"
    variables.write_text(VARIABLES + 'existing_vpc_id = "vpc-0123456789abcdef0"\n')
    done = rehearsal.run("install.sh", "--yes")
    assert done.status == 0, done.out + done.err
    made = json.loads((rehearsal.terraform / "terraform.tfstate").read_text())["resources"]
    managed = {one["type"] for one in made if one["mode"] == "managed"}
    assert "aws_eks_cluster" in managed
    assert not managed & {
        "aws_vpc",
        "aws_subnet",
        "aws_nat_gateway",
        "aws_route",
        "aws_vpc_endpoint",
    }
    again = rehearsal.run("install.sh", "--yes")
    assert again.out.count("0 added, 0 changed, 0 destroyed") == 5
    gone = rehearsal.run("cleanup.sh", "--yes")
    assert gone.status == 0, gone.out + gone.err
    assert not rehearsal.calls("aws ec2 delete", "aws elbv2 delete")


def test_beside_an_existing_cluster_only_the_model_store_comes_and_goes(
    rehearsal: Rehearsal,
) -> None:
    variables = rehearsal.terraform / "blueprint.tfvars"
    variables.write_text('existing_cluster_name = "platform"\n')
    done = rehearsal.run("install.sh", "--yes")
    assert done.status == 0, done.out + done.err
    file = rehearsal.terraform / "terraform.tfstate"
    made = [one for one in json.loads(file.read_text())["resources"] if one["mode"] == "managed"]
    assert {one["module"] for one in made} == {"module.model_store"}
    found = [one for one in made if one["type"] == "aws_eks_pod_identity_association"]
    names = {each["attributes"]["cluster_name"] for one in found for each in one["instances"]}
    assert names == {"platform"}
    rehearsal.but(Answer("kubectl get rayservices.ray.io *"), Answer("kubectl delete namespace *"))
    gone = rehearsal.run("cleanup.sh", "--yes", "--delete-models")
    assert gone.status == 0, gone.out + gone.err
    assert json.loads(file.read_text())["resources"] == []


def test_an_interrupted_installation_continues(rehearsal: Rehearsal) -> None:
    rehearsal.answers(
        [Answer("terraform plan *=module.karpenter", "no\\n", "1", "1"), REAL], TOOLS, INSTALL
    )
    assert rehearsal.run("install.sh", "--yes").status == 20
    done = rehearsal.run("install.sh", "--yes")
    assert done.status == 0, done.out + done.err
    assert done.out.count("0 added, 0 changed, 0 destroyed") == 2

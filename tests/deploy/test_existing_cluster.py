"""install.sh and cleanup.sh with `existing_cluster_name`: what is not theirs stays as it is."""

from pathlib import Path

import pytest

from tests.deploy.shims.answers import A_CLUSTER, INSTALL, NOTHING_THERE, TERRAFORM, TOOLS, Answer
from tests.deploy.shims.rehearsal import Rehearsal, prepare

pytestmark = pytest.mark.deploy

SILENT = Answer("kubectl get --raw *", "timeout\\n", "1")
BESIDE = (
    "module.model_store.aws_s3_bucket.models",
    'module.model_store.aws_iam_role.access["reader"]',
)
STATE = Answer("terraform state list", "".join(f"{address}\\n" for address in BESIDE))


@pytest.fixture
def rehearsal(tmp_path: Path) -> Rehearsal:
    """Return a rehearsal for the cluster `platform`, which is in use by others too."""
    rehearsal = prepare(tmp_path)
    (rehearsal.terraform / "blueprint.tfvars").write_text('existing_cluster_name = "platform"\n')
    rehearsal.answers(TOOLS, INSTALL, TERRAFORM, A_CLUSTER, NOTHING_THERE)
    return rehearsal


@pytest.fixture
def installed(rehearsal: Rehearsal) -> Rehearsal:
    """Return a rehearsal after install.sh."""
    rehearsal.answers([STATE], A_CLUSTER, TOOLS, TERRAFORM, NOTHING_THERE)
    return rehearsal


def test_install_makes_the_model_store_and_the_namespace_alone(rehearsal: Rehearsal) -> None:
    done = rehearsal.run("install.sh", "--yes")
    assert (done.status, done.errors) == (0, [])
    (plan,) = rehearsal.calls("terraform plan")
    assert "-target" not in plan
    assert [call.split(" --")[0] for call in rehearsal.changes()][1:] == [
        "kubectl create namespace neuron-gateway",
        "kubectl apply -f -",
    ]
    assert not rehearsal.calls("helm list", "kubectl apply -k")
    assert rehearsal.calls("aws eks update-kubeconfig --name platform")
    assert "neuron-gateway doctor --cluster" in done.out


def test_install_stops_before_a_cluster_that_does_not_answer(rehearsal: Rehearsal) -> None:
    rehearsal.but(SILENT)
    done = rehearsal.run("install.sh", "--yes")
    assert done.status == 21
    assert "The API server of the cluster platform does not answer" in done.errors[0]
    assert rehearsal.changes() == []


def test_a_plan_of_install_names_what_it_would_create(rehearsal: Rehearsal) -> None:
    done = rehearsal.run("install.sh", "--plan-only")
    assert done.status == 0
    assert "the script also creates the namespace neuron-gateway" in done.out
    assert rehearsal.changes() == []


def test_cleanup_deletes_the_namespace_and_the_roles_alone(installed: Rehearsal) -> None:
    installed.but(Answer("kubectl get rayservices.ray.io *", "rayservice.ray.io/neuron-gateway\\n"))
    done = installed.run("cleanup.sh", "--yes")
    assert (done.status, done.errors) == (0, [])
    deleted = installed.calls("kubectl delete", "kubectl scale", "kubectl patch")
    assert [call.split(" --timeout")[0] for call in deleted] == [
        "kubectl delete rayservices.ray.io --namespace neuron-gateway --all",
        "kubectl delete namespace neuron-gateway --ignore-not-found",
    ]
    (plan,) = installed.calls("terraform plan")
    assert "-target=module.model_store.aws_iam_role.access" in plan
    assert not installed.calls("aws ec2 ", "aws logs ", "aws elb", "aws iam ")


def test_cleanup_deletes_the_models_on_request(installed: Rehearsal) -> None:
    installed.run("cleanup.sh", "--yes", "--delete-models")
    last = installed.calls("terraform plan")[-1]
    assert " -destroy" in last
    assert "-target" not in last


def test_cleanup_destroys_the_project_that_builds_images(installed: Rehearsal) -> None:
    builds = "module.image_build[0].aws_codebuild_project.images\\n"
    installed.but(Answer("terraform state list", builds + STATE.text))
    installed.run("cleanup.sh", "--yes")
    first, second = installed.calls("terraform plan")
    assert "-target=module.image_build" in first
    assert "-target=module.model_store" in second


def test_a_plan_of_cleanup_changes_nothing(installed: Rehearsal) -> None:
    done = installed.run("cleanup.sh", "--plan-only")
    assert done.status == 0
    assert "would: kubectl delete namespace neuron-gateway" in done.out
    assert "Nothing was changed." in done.out
    assert installed.changes() == []


def test_cleanup_of_a_silent_cluster_goes_on_by_force_alone(installed: Rehearsal) -> None:
    installed.but(SILENT)
    done = installed.run("cleanup.sh", "--yes")
    assert done.status == 21
    assert "platform does not answer" in done.errors[0]
    assert installed.changes() == []
    forced = installed.run("cleanup.sh", "--yes", "--force")
    assert forced.status == 0
    assert "its namespace neuron-gateway stays" in forced.err
    assert installed.calls("terraform apply")


@pytest.mark.parametrize("script", ["install.sh", "cleanup.sh"])
def test_a_cluster_that_the_state_has_is_not_left_alone(rehearsal: Rehearsal, script: str) -> None:
    rehearsal.but(Answer("terraform state list", "module.eks[0].aws_eks_cluster.this\\n"))
    done = rehearsal.run(script, "--yes")
    assert done.status == 19
    assert "remove existing_cluster_name" in done.errors[0]
    assert rehearsal.changes() == []


@pytest.mark.parametrize("value", ["null", "null # none", '""'])
def test_without_a_name_a_cluster_is_created(rehearsal: Rehearsal, value: str) -> None:
    (rehearsal.terraform / "blueprint.tfvars").write_text(
        f'public_access_cidrs = ["198.18.0.7/32"]\nexisting_cluster_name = {value}\n'
    )
    rehearsal.run("install.sh", "--yes")
    assert any("-target=module.eks" in call for call in rehearsal.calls("terraform plan"))

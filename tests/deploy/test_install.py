"""install.sh: the order of its stages, what it passes on, and how it stops and continues."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path
from subprocess import DEVNULL, PIPE

import pytest
import yaml

from tests.conftest import wait_until
from tests.deploy.shims.answers import BUCKET, INSTALL, TERRAFORM, TOOLS, Answer
from tests.deploy.shims.rehearsal import Rehearsal, prepare
from tests.tools import require_tool

pytestmark = pytest.mark.deploy

TOKEN = "hf_a_secret"
STAGES = ("vpc", "eks", "karpenter", "addons", "everything", "objects")


@pytest.fixture
def rehearsal(tmp_path: Path) -> Rehearsal:
    rehearsal = prepare(tmp_path)
    rehearsal.answers(TOOLS, INSTALL, TERRAFORM)
    return rehearsal


def targets(rehearsal: Rehearsal) -> list[str]:
    """Return the target of each stage that was planned and applied."""
    calls = rehearsal.calls("terraform plan")
    assert len(rehearsal.calls("terraform apply")) in (len(calls), len(calls) - 1)
    return [call.partition("-target=module.")[2] or "everything" for call in calls]


def test_stages_are_applied_in_order_and_objects_are_created_last(rehearsal: Rehearsal) -> None:
    done = rehearsal.run("install.sh", "--yes")
    assert (done.status, done.errors) == (0, [])
    assert targets(rehearsal) == ["vpc", "eks", "karpenter", "addons", "everything"]
    filled = [call.split(" /")[0] for call in rehearsal.changes()[-3:]]
    assert filled == [
        "kubectl apply -k",
        "kubectl create namespace neuron-gateway",
        "kubectl apply -f -",
    ]


def test_each_stage_prints_what_it_does_and_how_long_it_took(rehearsal: Rehearsal) -> None:
    out = rehearsal.run("install.sh", "--yes").out
    for number, stage in enumerate(STAGES, 1):
        assert f"[{number}/6] {stage}: the" in out or f"[{number}/6] {stage}: " in out
        assert f"[{number}/6] {stage}: done in 0 min" in out


def test_an_existing_network_is_looked_at_first_and_nothing_else_changes(
    rehearsal: Rehearsal,
) -> None:
    variables = rehearsal.terraform / "blueprint.tfvars"
    variables.write_text(variables.read_text() + 'existing_vpc_id = "vpc-0123456789abcdef0"\n')
    done = rehearsal.run("install.sh", "--yes")
    assert "[1/6] vpc: the network vpc-0123456789abcdef0, which exists" in done.out
    first, *others = targets(rehearsal)
    assert "-target=data.aws_vpc.existing -target=data.aws_subnets.existing" in first
    assert others == ["eks", "karpenter", "addons", "everything"]


@pytest.mark.parametrize("value", ["null", "null # none", '""'])
def test_without_an_existing_network_one_is_created(rehearsal: Rehearsal, value: str) -> None:
    variables = rehearsal.terraform / "blueprint.tfvars"
    variables.write_text(variables.read_text() + f"existing_vpc_id = {value}\n")
    rehearsal.run("install.sh", "--yes")
    assert targets(rehearsal)[0] == "vpc"


def test_the_node_pools_get_the_name_of_the_cluster(rehearsal: Rehearsal) -> None:
    variables = rehearsal.terraform / "blueprint.tfvars"
    variables.write_text(variables.read_text() + 'name = "chat" # ours\n')
    assert rehearsal.run("install.sh", "--yes").status == 0
    assert (rehearsal.shims / "cluster.env").read_text() == "CLUSTER=chat\n"
    assert all("-var=name=chat" in call for call in rehearsal.calls("terraform plan"))


def test_the_cluster_gets_the_name_of_the_model_store(rehearsal: Rehearsal) -> None:
    rehearsal.run("install.sh", "--yes")
    (call,) = rehearsal.calls("kubectl create configmap")
    assert "--from-literal=bucket=neuron-gateway-models-123456789012-us-west-2" in call
    assert "--from-literal=region=us-west-2" in call


def test_it_ends_with_the_next_commands(rehearsal: Rehearsal) -> None:
    *_, reach, build, steps = rehearsal.run("install.sh", "--yes").out.splitlines()
    assert reach == "  aws eks update-kubeconfig --region us-west-2 --name neuron-gateway"
    assert "123456789012.dkr.ecr.us-west-2.amazonaws.com/neuron-gateway" in build
    assert steps == "  see steps 2 to 5 of deploy/README.md."


def test_the_token_is_never_printed_or_passed_as_an_argument(rehearsal: Rehearsal) -> None:
    done = rehearsal.run("install.sh", "--yes", HF_TOKEN=TOKEN)
    assert done.status == 0
    assert TOKEN not in done.out + done.err + "\n".join(rehearsal.calls())
    assert not (rehearsal.shims / "leaks").exists()
    assert (rehearsal.shims / "stdin").read_text().count(TOKEN) == 1
    (made,) = rehearsal.calls("kubectl create secret")
    assert made.startswith("kubectl create secret generic hf-token --namespace neuron-gateway")


def test_kubectl_reads_the_secret_from_the_pipe(tmp_path: Path) -> None:
    command = ["create", "secret", "generic", "hf-token", "--from-file=token=/dev/stdin"]
    made = subprocess.run(
        [require_tool("kubectl"), *command, "--dry-run=client", "--output=yaml"],
        input="abc", capture_output=True, text=True, env={"HOME": str(tmp_path)},
    )  # fmt: skip
    assert yaml.safe_load(made.stdout)["data"] == {"token": "YWJj"}


def test_without_a_token_no_secret_is_created(rehearsal: Rehearsal) -> None:
    done = rehearsal.run("install.sh", "--yes")
    assert "HF_TOKEN is not set" in done.out
    assert not rehearsal.calls("kubectl create secret")


def test_a_plan_creates_nothing(rehearsal: Rehearsal) -> None:
    done = rehearsal.run("install.sh", "--plan-only")
    assert done.status == 0
    assert rehearsal.calls("terraform plan")
    assert rehearsal.changes() == []


@pytest.mark.parametrize(
    "failing",
    [
        [Answer("terraform plan *=module.karpenter", "no\\n", "1")],
        [Answer("terraform apply *", often="2"), Answer("terraform apply *", "no\\n", "1")],
    ],
    ids=["plan", "apply"],
)
def test_a_failed_stage_is_named_and_the_next_run_continues(
    rehearsal: Rehearsal, failing: list[Answer]
) -> None:
    rehearsal.but(*failing)
    done = rehearsal.run("install.sh", "--yes")
    (error,) = done.errors
    assert done.status == 20
    assert error.startswith("Error: Stage 3 of 6 (karpenter) failed:")
    assert targets(rehearsal) == ["vpc", "eks", "karpenter"]
    rehearsal.but()
    rehearsal.forget()
    assert rehearsal.run("install.sh", "--yes").status == 0
    assert targets(rehearsal)[-1] == "everything"


@pytest.mark.parametrize("pattern", ["kubectl create configmap *", "kubectl apply -k *"])
def test_every_failure_is_reported(rehearsal: Rehearsal, pattern: str) -> None:
    rehearsal.but(Answer(pattern, "no\\n", "1"))
    done = rehearsal.run("install.sh", "--yes")
    assert done.status == 20
    assert "Stage 6 of 6 (objects) failed" in done.errors[0]
    assert "The cluster stands" not in done.out


def test_a_cluster_that_does_not_answer_is_explained(rehearsal: Rehearsal) -> None:
    rehearsal.but(Answer("kubectl get --raw *", "timeout\\n", "1"))
    done = rehearsal.run("install.sh", "--yes")
    (error,) = done.errors
    assert done.status == 21
    assert "Is your address in public_access_cidrs?" in error
    assert targets(rehearsal) == ["vpc", "eks"]


@pytest.mark.parametrize(
    ("pattern", "stage"),
    [("terraform plan *=module.eks", "2 of 6 (eks)"), ("terraform apply *", "1 of 6 (vpc)")],
)
def test_ctrl_c_prints_how_to_continue(rehearsal: Rehearsal, pattern: str, stage: str) -> None:
    rehearsal.but(Answer(pattern, status="hang"))
    started = rehearsal.command("install.sh", "--yes")
    script = subprocess.Popen(
        **started, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, start_new_session=True
    )
    try:
        wait_until((rehearsal.shims / "hanging").exists)
        os.killpg(script.pid, signal.SIGINT)
        _, err = script.communicate(timeout=60)  # a bound against hangs
    finally:
        with contextlib.suppress(ProcessLookupError):  # it ended with all its children
            os.killpg(script.pid, signal.SIGKILL)
    assert script.returncode == 130
    assert f"Interrupted in stage {stage}. Run ./install.sh again" in err
    assert err.count("Error:") == 1


def test_an_interrupted_installation_of_a_chart_is_repeated(rehearsal: Rehearsal) -> None:
    pending = "karpenter\\tkube-system\\t1\\t2026-11-26\\tpending-install\\tkarpenter-1.14.1\\n"
    rehearsal.but(
        Answer("helm list *", pending, often="1"),
        Answer("helm uninstall karpenter --namespace kube-system"),
    )
    assert rehearsal.run("install.sh", "--yes").status == 0
    order = rehearsal.calls("helm uninstall", "terraform plan")
    assert order[2] == "helm uninstall karpenter --namespace kube-system"
    assert order[3].endswith("=module.karpenter")


def test_an_interrupted_upgrade_of_a_chart_is_rolled_back_and_others_are_kept(
    rehearsal: Rehearsal,
) -> None:
    pending = (
        "kuberay-operator\\tkuberay-operator\\t2\\tnow\\tpending-upgrade\\tx\\n"
        "storage-class\\tkube-system\\t3\\tnow\\tpending-rollback\\tx\\n"
        "karpenter\\tteam\\t1\\tnow\\tpending-install\\tx\\n"
    )
    rehearsal.but(Answer("helm list *", pending, often="1"), Answer("helm rollback *"))
    assert rehearsal.run("install.sh", "--yes").status == 0
    assert rehearsal.calls("helm uninstall", "helm rollback") == [
        "helm rollback kuberay-operator --namespace kuberay-operator",
        "helm rollback storage-class --namespace kube-system",
    ]


LOSSES = """
  # module.vpc[0].aws_vpc.this must be replaced
  # module.vpc[0].aws_subnet.private["us-west-2a"] will be destroyed
  # module.eks[0].aws_eks_cluster.this is tainted, so must be replaced
  # module.vpc[0].aws_vpc_endpoint.s3 must be replaced
  # module.model_store.aws_s3_bucket.models will be updated in-place
"""


def test_resources_with_data_are_not_replaced_by_default(rehearsal: Rehearsal) -> None:
    shown = LOSSES.replace("\n", "\\n")
    rehearsal.but(Answer("terraform show -no-color *", shown))
    done = rehearsal.run("install.sh", "--yes")
    (error,) = done.errors
    assert done.status == 22
    lost = 'module.vpc[0].aws_vpc.this module.vpc[0].aws_subnet.private["us-west-2a"]'
    assert error.startswith(f"Error: This would delete or replace {lost}: undo the change")
    assert rehearsal.changes() == []
    assert rehearsal.run("install.sh", "--yes", "--allow-replace").status == 0


def test_zones_are_kept(rehearsal: Rehearsal) -> None:
    zones = '["us-west-2b","us-west-2a"]'
    rehearsal.but(
        Answer("terraform state list", "module.vpc[0].aws_vpc.this\\n"),
        Answer("terraform output -json zones", zones),
    )
    assert rehearsal.run("install.sh", "--yes").status == 0
    assert all(f"-var=zones={zones}" in call for call in rehearsal.calls("terraform plan"))
    variables = rehearsal.terraform / "blueprint.tfvars"
    variables.write_text(variables.read_text() + 'zones = ["us-west-2c", "us-west-2d"]\n')
    rehearsal.forget()
    assert rehearsal.run("install.sh", "--yes").status == 0
    assert not any("-var=zones=" in call for call in rehearsal.calls("terraform plan"))


def test_models_of_an_earlier_cluster_are_imported(rehearsal: Rehearsal) -> None:
    rehearsal.but(
        Answer("terraform state list", 'module.model_store.aws_ecr_repository.image["webui"]\\n'),
        Answer("aws s3api head-bucket *--expected-bucket-owner 123456789012"),
        Answer("aws ecr describe-repositories *"),
    )
    assert rehearsal.run("install.sh", "--yes").status == 0
    taken = [call.split()[-2:] for call in rehearsal.calls("terraform import")]
    assert taken == [
        ["module.model_store.aws_s3_bucket.models", BUCKET],
        ['module.model_store.aws_ecr_repository.image["neuron"]', "neuron-gateway/neuron"],
        ['module.model_store.aws_ecr_repository.image["gateway"]', "neuron-gateway/gateway"],
    ]


def test_a_second_run_keeps_the_namespace(rehearsal: Rehearsal) -> None:
    rehearsal.but(Answer("kubectl get namespace *", "neuron-gateway Active\\n"))
    assert rehearsal.run("install.sh", "--yes").status == 0
    assert not rehearsal.calls("kubectl create namespace")


def test_it_leaves_no_file_behind(rehearsal: Rehearsal) -> None:
    rehearsal.run("install.sh", "--yes", HF_TOKEN=TOKEN)
    assert list((rehearsal.folder / "scratch").iterdir()) == []

"""install.sh checks before it creates anything; each failed check has one error and one status."""

import os
import pty
import subprocess
from pathlib import Path

import pytest

from tests.deploy.shims.answers import INSTALL, TERRAFORM, TOOLS, Answer
from tests.deploy.shims.rehearsal import Rehearsal, prepare

pytestmark = pytest.mark.deploy


@pytest.fixture
def rehearsal(tmp_path: Path) -> Rehearsal:
    rehearsal = prepare(tmp_path)
    rehearsal.answers(TOOLS, INSTALL, TERRAFORM)
    return rehearsal


@pytest.mark.parametrize("zero", ["", "None\\n"])
def test_a_region_without_inf2_is_refused(rehearsal: Rehearsal, zero: str) -> None:
    rehearsal.but(Answer("aws ec2 describe-instance-type-offerings *", zero))
    done = rehearsal.run("install.sh", "--yes", AWS_REGION="eu-west-9")
    assert done.status == 13
    (error,) = done.errors
    assert error.startswith("Error: inf2 is not offered in eu-west-9. Set AWS_REGION to one of: us")
    assert rehearsal.changes() == []


CHECKS = [
    (Answer("terraform version", "Terraform v1.8.5\\n"), 10, "terraform 1.8.5 is too old; 1.9"),
    (Answer("aws --version", "aws-cli/1.44.2 Python/3.9\\n"), 10, "aws 1.44.2 is too old; 2.0"),
    (Answer("kubectl version *", "Client Version: v1.33.9\\n"), 10, "kubectl 1.33.9 is too old"),
    (Answer("helm version *", "v3.9.0+g7ceeda6\\n"), 10, "helm 3.9.0 is too old; 3.14"),
    (Answer("helm version *", "", "1"), 10, "helm of unknown version is too old"),
    (Answer("aws sts *", "Unable to locate credentials\\n", "253"), 11, "accepts no credentials"),
    (Answer("aws sts *", "Could not connect to the endpoint\\n", "255"), 12, "check the name of"),
    (
        Answer("aws ec2 describe-instance*", "denied\\n", "254"),
        13,
        "did not list the zones of us-west-2",
    ),
    (
        Answer("aws service-quotas *", "8.0\\n"),
        14,
        "is 8 vCPUs in us-west-2 and an inf2.8xlarge ne",
    ),
    (Answer("terraform init *", "no registry\\n", "1"), 18, "terraform init failed"),
    (Answer("terraform console *", "| Error: Invalid value\\n", "1"), 15, "Fix it in /"),
    (
        Answer("terraform console *", '"198.18.0.1/32 203.0.113.7/32"\\n'),
        15,
        "reserved for examples",
    ),
    (Answer("terraform console *", '"192.0.2.0/24"\\n'), 15, "an address that is reserved"),
    (Answer("terraform state list", "access denied\\n", "1"), 18, "cannot read its state"),
    (
        Answer("aws iam get-role *karpenterNode-neuron-gateway"),
        23,
        "exists and is not in the state",
    ),
]


@pytest.mark.parametrize(("answer", "status", "message"), CHECKS)
def test_a_failed_check_is_one_error_and_creates_nothing(
    rehearsal: Rehearsal, answer: Answer, status: int, message: str
) -> None:
    rehearsal.but(answer)
    done = rehearsal.run("install.sh", "--yes")
    (error,) = done.errors
    assert (done.status, message in error) == (status, True), error
    assert rehearsal.changes() == []


@pytest.mark.parametrize("tool", ["terraform", "aws", "kubectl", "helm"])
def test_a_missing_tool_is_named_with_where_to_get_it(rehearsal: Rehearsal, tool: str) -> None:
    rehearsal.without(tool)
    done = rehearsal.run("install.sh", "--yes")
    (error,) = done.errors
    assert done.status == 10
    assert error.startswith(f"Error: {tool} is not installed;")
    assert "https://" in error
    assert rehearsal.changes() == []


def test_without_a_region_creates_nothing(rehearsal: Rehearsal) -> None:
    done = rehearsal.run("install.sh", "--yes", AWS_REGION="")
    assert (done.status, len(done.errors)) == (12, 1)
    assert rehearsal.changes() == []


def test_the_region_of_the_aws_configuration_is_taken(rehearsal: Rehearsal) -> None:
    rehearsal.but(Answer("aws configure get region", "us-east-2\\n"))
    assert rehearsal.run("install.sh", "--yes", AWS_REGION="").status == 0
    assert all("-var=region=us-east-2" in call for call in rehearsal.calls("terraform plan"))


def test_the_region_of_the_variable_file_outranks_the_environments(rehearsal: Rehearsal) -> None:
    (rehearsal.folder / "mine.tfvars").write_text(
        'tags = {\n  region = "us-east-2"\n}\n'
        'region = "us-east-1"\npublic_access_cidrs = [\n  "198.18.0.7/32",\n]\n'
    )
    done = rehearsal.run("install.sh", "--yes", "--var-file", "../../mine.tfvars")
    assert done.status == 0, done.err
    (first, *_) = rehearsal.calls("terraform plan")
    assert "-var=region=us-east-1" in first
    assert "mine.tfvars" in first


def test_without_networks_it_prints_how_to_find_the_own_address(rehearsal: Rehearsal) -> None:
    (rehearsal.terraform / "blueprint.tfvars").unlink()
    done = rehearsal.run("install.sh", "--yes")
    (error,) = done.errors
    assert done.status == 15
    assert "public_access_cidrs" in error
    assert "curl -s https://checkip.amazonaws.com" in error
    assert rehearsal.changes() == []


OTHERS = [
    Answer("terraform state list", "module.vpc[0].aws_vpc.this\\n"),
    Answer("terraform output -raw cluster_name", "chat"),
    Answer("terraform output -raw region", "us-west-2"),
]


@pytest.mark.parametrize("script", ["install.sh", "cleanup.sh"])
def test_the_state_of_another_cluster_is_not_changed(rehearsal: Rehearsal, script: str) -> None:
    rehearsal.but(*OTHERS)
    done = rehearsal.run(script, "--yes")
    (error,) = done.errors
    assert done.status == 19
    assert "the cluster chat in us-west-2, and you mean neuron-gateway in us-west-2" in error
    assert rehearsal.changes() == []


def test_a_state_of_data_sources_belongs_to_no_cluster(rehearsal: Rehearsal) -> None:
    looked_up = "data.aws_partition.current\\nmodule.x.data.aws_y.z\\n"
    rehearsal.but(Answer("terraform state list", looked_up), *OTHERS[1:])
    assert rehearsal.run("install.sh", "--yes").status == 0


def test_a_role_in_the_state_is_accepted(rehearsal: Rehearsal) -> None:
    rehearsal.but(
        Answer("terraform state list", "module.karpenter[0].aws_iam_role.node\\n"),
        Answer("aws iam get-role *"),
    )
    assert rehearsal.run("install.sh", "--yes").status == 0


def test_a_low_quota_may_be_ignored(rehearsal: Rehearsal) -> None:
    rehearsal.but(Answer("aws service-quotas *", "0.0\\n"))
    done = rehearsal.run("install.sh", "--yes", "--ignore-quota")
    assert done.status == 0
    assert "Warning: The quota" in done.err


def test_a_quota_that_cannot_be_read_is_a_warning(rehearsal: Rehearsal) -> None:
    rehearsal.but(Answer("aws service-quotas *", "AccessDenied\\n", "254"))
    done = rehearsal.run("install.sh", "--yes")
    assert done.status == 0
    assert "cannot be read" in done.err


def test_without_a_terminal_it_does_not_ask(rehearsal: Rehearsal) -> None:
    done = rehearsal.run("install.sh")
    (error,) = done.errors
    assert (done.status, "--yes" in error) == (16, True)
    assert rehearsal.changes() == []


@pytest.mark.parametrize(("answer", "status"), [("y", 0), ("n", 17), ("", 17)])
def test_on_a_terminal_it_asks(rehearsal: Rehearsal, answer: str, status: int) -> None:
    ours, theirs = pty.openpty()
    os.write(ours, f"{answer}\n".encode())
    started = rehearsal.command("install.sh")
    done = subprocess.run(**started, stdin=theirs, capture_output=True)
    os.close(ours)
    os.close(theirs)
    assert "Create the cluster neuron-gateway in us-west-2? [y/N]" in done.stdout
    assert done.returncode == status
    assert bool(rehearsal.changes()) == (status == 0)


def test_help_needs_no_tool(rehearsal: Rehearsal) -> None:
    done = rehearsal.run("install.sh", "--help")
    assert done.status == 0
    assert done.out.startswith("Usage: ./install.sh")
    assert rehearsal.calls() == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--fast"], "There is no argument --fast."),
        (["--var-file"], "--var-file wants the name of a file."),
        (["--var-file", "none.tfvars"], "There is no file none.tfvars."),
    ],
)
def test_a_wrong_argument_is_refused(
    rehearsal: Rehearsal, arguments: list[str], message: str
) -> None:
    done = rehearsal.run("install.sh", *arguments)
    assert done.status == 2
    assert message in done.errors[0]
    assert rehearsal.calls() == []

"""cleanup.sh checks before it deletes, and reports why it stops."""

import os
import pty
import subprocess
from pathlib import Path

import pytest

from tests.deploy.shims.answers import A_CLUSTER, NOTHING_THERE, TERRAFORM, TOOLS, Answer
from tests.deploy.shims.rehearsal import Rehearsal, prepare
from tests.deploy.test_cleanup import ADDRESSES, SILENT, state, targets

pytestmark = pytest.mark.deploy


@pytest.fixture
def rehearsal(tmp_path: Path) -> Rehearsal:
    """Return a rehearsal in which a cluster in use answers."""
    rehearsal = prepare(tmp_path)
    rehearsal.answers([state(*ADDRESSES)], A_CLUSTER, TOOLS, TERRAFORM, NOTHING_THERE)
    return rehearsal


def test_a_silent_cluster_is_not_taken_for_deleted(rehearsal: Rehearsal) -> None:
    rehearsal.but(SILENT)
    done = rehearsal.run("cleanup.sh", "--yes")
    (error,) = done.errors
    assert done.status == 21
    for text in ("public_access_cidrs", "access entry", "--force"):
        assert text in error
    assert "no cluster" not in done.out + done.err
    assert rehearsal.changes() == []


def test_with_force_karpenter_loses_its_permissions_before_its_nodes_are_terminated(
    rehearsal: Rehearsal,
) -> None:
    karpenters = state(*ADDRESSES, "module.karpenter[0].aws_iam_role.controller")
    ends = "aws ec2 terminate-instances"
    rehearsal.but(
        SILENT,
        karpenters,
        Answer("aws ec2 describe-instances *nodepool*", "i-1\\n", often="2"),
        Answer(f"{ends} *"),
        Answer("aws ec2 wait *"),
    )
    assert rehearsal.run("cleanup.sh", "--yes", "--force").status == 0
    calls = rehearsal.calls("terraform plan", ends)
    order = [call.partition("-target=")[2].partition(" ")[0] or "ended" for call in calls]
    assert order[:2] == ["module.karpenter", "ended"]
    assert order[order.index("module.eks") :] == ["module.eks", "ended", "module.vpc"]


@pytest.mark.parametrize("known", [(), ("module.model_store.aws_s3_bucket.models",)])
def test_a_cluster_that_is_not_in_the_state_is_kept(
    rehearsal: Rehearsal, known: tuple[str, ...]
) -> None:
    rehearsal.but(state(*known))
    done = rehearsal.run("cleanup.sh", "--yes")
    (error,) = done.errors
    assert done.status == 19
    assert "terraform.tfstate" in error
    assert "the folder where install.sh ran" in error
    assert rehearsal.changes() == []


def test_a_failed_destroy_still_reports_what_is_left(rehearsal: Rehearsal) -> None:
    rehearsal.but(
        Answer("terraform plan *=module.eks", "no\\n", "1"),
        Answer("aws ec2 describe-volumes *", "vol-1\\n", often="1"),
        Answer("aws ec2 delete-volume *"),
        Answer("aws ec2 describe-instances *eks:cluster-name*", "i-9\\n"),
        Answer("aws elasticache *neuron-gateway-valkey*", "neuron-gateway-valkey\\n"),
        state(*ADDRESSES, "module.addons[0].aws_elasticache_replication_group.valkey[0]"),
    )
    done = rehearsal.run("cleanup.sh", "--yes")
    assert done.status == 20
    assert "aws ec2 delete-volume --volume-id vol-1" in rehearsal.changes()
    assert "core nodes, about $70 a month each: i-9" in done.out
    assert "Valkey, about $40 a month each: neuron-gateway-valkey" in done.out
    assert targets(rehearsal)[-1] == "module.eks"


def test_without_a_terminal_it_does_not_ask(rehearsal: Rehearsal) -> None:
    done = rehearsal.run("cleanup.sh")
    assert (done.status, len(done.errors)) == (16, 1)
    assert rehearsal.changes() == []


def test_on_a_terminal_it_asks(rehearsal: Rehearsal) -> None:
    ours, theirs = pty.openpty()
    os.write(ours, b"n\n")
    done = subprocess.run(**rehearsal.command("cleanup.sh"), stdin=theirs, capture_output=True)
    os.close(ours)
    os.close(theirs)
    assert "Delete the cluster neuron-gateway in us-west-2" in done.stdout
    assert done.returncode == 17
    assert rehearsal.changes() == []


def test_without_credentials_deletes_nothing(rehearsal: Rehearsal) -> None:
    rehearsal.but(Answer("aws sts *", "Unable to locate credentials\\n", "253"))
    done = rehearsal.run("cleanup.sh", "--yes")
    assert (done.status, len(done.errors)) == (11, 1)
    assert rehearsal.changes() == []


def test_a_cluster_that_cannot_be_read_is_not_taken_for_deleted(rehearsal: Rehearsal) -> None:
    rehearsal.but(Answer("aws eks describe-cluster *", "AccessDeniedException\\n", "254"))
    done = rehearsal.run("cleanup.sh", "--yes")
    assert (done.status, len(done.errors)) == (11, 1)
    assert "AccessDenied" in done.errors[0]
    assert rehearsal.changes() == []

"""cleanup.sh: the order of its phases, what it deletes by force, and what it keeps."""

from pathlib import Path

import pytest

from tests.deploy.shims.answers import A_CLUSTER, BUCKET, NOTHING_THERE, TERRAFORM, TOOLS, Answer
from tests.deploy.shims.rehearsal import Rehearsal, prepare

pytestmark = pytest.mark.deploy

ADDRESSES = [
    "module.vpc[0].aws_vpc.this",
    "module.eks[0].aws_eks_cluster.this",
    "module.karpenter[0].helm_release.karpenter",
    "module.addons[0].helm_release.kuberay",
    "module.model_store.aws_s3_bucket.models",
    'module.model_store.aws_iam_role.access["reader"]',
]
BALANCER = "arn:aws:elasticloadbalancing:us-west-2:123456789012:loadbalancer/app/k8s-x/1"


def state(*addresses: str) -> Answer:
    return Answer("terraform state list", "".join(f"{address}\\n" for address in addresses))


@pytest.fixture
def rehearsal(tmp_path: Path) -> Rehearsal:
    """Return a rehearsal in which a cluster in use answers."""
    rehearsal = prepare(tmp_path)
    rehearsal.answers([state(*ADDRESSES)], A_CLUSTER, TOOLS, TERRAFORM, NOTHING_THERE)
    return rehearsal


def targets(rehearsal: Rehearsal) -> list[str]:
    """Return the target of each call that destroyed something."""
    calls = rehearsal.calls("terraform plan")
    assert all(" -destroy" in call for call in calls)
    return [call.partition("-target=")[2].partition(" ")[0] or "everything" for call in calls]


def test_phases_follow_the_dependencies(rehearsal: Rehearsal) -> None:
    done = rehearsal.run("cleanup.sh", "--yes")
    assert (done.status, done.errors) == (0, [])
    order = [call.split(" --")[0] for call in rehearsal.changes()]
    assert order[:7] == [
        "kubectl delete rayservices.ray.io",
        "kubectl delete ingresses.networking.k8s.io",
        "kubectl delete service chat",
        "kubectl delete namespace neuron-gateway",
        "kubectl delete nodepools.karpenter.sh",
        "kubectl delete ec2nodeclasses.karpenter.k8s.aws",
        "kubectl scale deployment karpenter",
    ]
    assert targets(rehearsal) == [
        "module.addons",
        "module.karpenter",
        "module.model_store.aws_eks_pod_identity_association.access",
        "module.eks",
        "module.vpc",
    ]


def test_the_project_that_builds_images_goes_first(rehearsal: Rehearsal) -> None:
    project = "module.image_build[0].aws_codebuild_project.images"
    rehearsal.but(state(*ADDRESSES, project))
    assert rehearsal.run("cleanup.sh", "--yes").status == 0
    assert targets(rehearsal)[0] == "module.image_build"


def test_karpenter_is_stopped_only_when_its_nodes_are_gone(rehearsal: Rehearsal) -> None:
    rehearsal.run("cleanup.sh", "--yes")
    calls = rehearsal.calls("kubectl get nodeclaims", "kubectl scale")
    assert calls[:3] == ["kubectl get nodeclaims.karpenter.sh --output name"] * 3
    assert calls[3] == "kubectl scale deployment karpenter --namespace kube-system --replicas=0"


def test_nodes_that_remain_are_terminated(rehearsal: Rehearsal) -> None:
    claim = "nodeclaim.karpenter.sh/inf2-x"
    rehearsal.but(
        Answer("kubectl get nodeclaims.karpenter.sh *", f"{claim}\\n"),
        Answer("aws ec2 describe-instances *", "i-1\\ti-2\\n", often="1"),
        Answer("aws ec2 terminate-instances *"),
        Answer("aws ec2 wait *"),
    )
    done = rehearsal.run("cleanup.sh", "--yes")
    assert done.status == 0, done.err
    assert "were not deleted in time" in done.err
    patch = '{"metadata":{"finalizers":null}}'
    assert rehearsal.calls("kubectl patch", "aws ec2 terminate", "aws ec2 wait") == [
        f"kubectl patch {claim} --type merge --patch {patch}",
        "aws ec2 terminate-instances --instance-ids i-1 i-2 --output text",
        "aws ec2 wait instance-terminated --instance-ids i-1 i-2",
    ]


def test_load_balancers_are_waited_for_and_then_deleted(rehearsal: Rehearsal) -> None:
    rehearsal.but(
        Answer("aws ec2 describe-vpcs *", "vpc-1\\n"),
        Answer("aws elbv2 describe-load-balancers *VpcId=='vpc-1'*", f"{BALANCER}\\n", often="41"),
        Answer("aws elb describe-load-balancers *VPCId=='vpc-1'*", "classic\\n", often="41"),
        Answer("aws elbv2 delete-load-balancer *"),
        Answer("aws elb delete-load-balancer *"),
    )
    done = rehearsal.run("cleanup.sh", "--yes")
    assert done.status == 0, done.err
    assert done.out.count("waiting for load balancers") == 40
    deleted = f"aws elbv2 delete-load-balancer --load-balancer-arn {BALANCER}"
    assert rehearsal.changes().index(deleted) < rehearsal.changes().index(
        "kubectl delete nodepools.karpenter.sh --all --wait=false"
    )
    assert "aws elb delete-load-balancer --load-balancer-name classic" in rehearsal.changes()


def test_in_an_existing_network_only_load_balancers_of_the_cluster_are_deleted(
    rehearsal: Rehearsal,
) -> None:
    vpc, other = "vpc-0123456789abcdef0", BALANCER.replace("k8s-x", "of-others")
    (rehearsal.terraform / "blueprint.tfvars").write_text(f'existing_vpc_id = "{vpc}"\n')
    rehearsal.but(
        Answer(
            f"aws elbv2 describe-load-balancers *=='{vpc}'*", f"{other}\\n{BALANCER}\\n", often="41"
        ),
        Answer(f"aws elb describe-load-balancers *=='{vpc}'*", "classic\\nlegacy\\n", often="41"),
        Answer(f"aws elbv2 describe-tags *{BALANCER} *=='neuron-gateway'*", f"{BALANCER}\\n"),
        Answer("aws elb describe-tags *classic *cluster/neuron-gateway'*", "classic\\n"),
        Answer("aws el* describe-tags *"),
        Answer("aws el* delete-load-balancer *"),
    )
    done = rehearsal.run("cleanup.sh", "--yes")
    assert done.status == 0, done.err
    assert done.out.count("waiting for load balancers") == 40
    assert rehearsal.calls("aws elbv2 delete", "aws elb delete", "aws ec2 delete") == [
        f"aws elbv2 delete-load-balancer --load-balancer-arn {BALANCER}",
        "aws elb delete-load-balancer --load-balancer-name classic",
    ]


def test_models_and_images_are_kept_and_their_cost_is_printed(rehearsal: Rehearsal) -> None:
    rehearsal.but(
        Answer("aws s3api head-bucket *--expected-bucket-owner 123456789012"),
        Answer("aws ecr describe-repositories *"),
        Answer("aws s3api list-objects-v2 *", "200000000000\\n13000000000\\n"),
        Answer("aws ecr describe-images *", "10000000000\\n"),
    )
    done = rehearsal.run("cleanup.sh", "--yes")
    assert f"Kept: s3://{BUCKET}, 213 GB, about $4.90 a month ($0.023 per GB)" in done.out
    assert "Kept: the images of neuron-gateway, 30 GB, about $3.00 a month" in done.out
    assert "--delete-models deletes them" in done.out
    assert not rehearsal.calls("aws s3 rm", "aws ecr delete-repository")
    assert "everything" not in targets(rehearsal)


def test_models_and_images_are_deleted_on_request(rehearsal: Rehearsal) -> None:
    rehearsal.but(
        Answer("aws s3api head-bucket *--expected-bucket-owner 123456789012", often="1"),
        Answer("aws ecr describe-repositories *", often="3"),
        Answer("aws s3 r? *"),
        Answer("aws ecr delete-repository *"),
    )
    done = rehearsal.run("cleanup.sh", "--yes", "--delete-models")
    assert done.status == 0, done.err
    assert rehearsal.calls("aws s3 r") == [
        f"aws s3 rm s3://{BUCKET} --recursive --only-show-errors",
        f"aws s3 rb s3://{BUCKET}",
    ]
    assert len(rehearsal.calls("aws ecr delete-repository")) == 3
    assert targets(rehearsal)[-1] == "everything"


def test_without_a_cluster_it_succeeds(rehearsal: Rehearsal) -> None:
    rehearsal.answers(TOOLS, TERRAFORM, NOTHING_THERE)
    done = rehearsal.run("cleanup.sh", "--yes")
    assert (done.status, done.err) == (0, "")
    assert "Nothing that costs money is left" in done.out
    assert rehearsal.changes() == []


def test_an_incomplete_cluster_is_deleted(rehearsal: Rehearsal) -> None:
    left = state("module.vpc[0].aws_vpc.this", "module.eks[0].aws_iam_role.cluster")
    rehearsal.answers([left], TOOLS, TERRAFORM, NOTHING_THERE)
    done = rehearsal.run("cleanup.sh", "--yes")
    assert (done.status, done.errors) == (0, [])
    assert targets(rehearsal) == ["module.eks", "module.vpc"]
    assert not rehearsal.calls("kubectl delete")


SILENT = Answer("kubectl get --raw *", "timeout\\n", "1")


@pytest.mark.parametrize("silent", [True, False], ids=["does not answer", "is gone"])
def test_charts_of_an_unreachable_cluster_are_removed_from_the_state(
    rehearsal: Rehearsal, silent: bool
) -> None:
    gone = Answer("aws eks describe-cluster *", "x (ResourceNotFoundException)\\n", "254")
    rehearsal.but(SILENT if silent else gone)
    done = rehearsal.run("cleanup.sh", "--yes", *["--force"] * silent)
    assert done.status == 0, done.err
    assert ("There is no cluster" in done.out) != silent
    assert rehearsal.calls("terraform state rm") == [
        "terraform state rm module.karpenter[0].helm_release.karpenter",
        "terraform state rm module.addons[0].helm_release.kuberay",
    ]
    assert not rehearsal.calls("kubectl delete")
    assert targets(rehearsal)[-1] == "module.vpc"


def test_a_failed_destroy_is_retried_after_the_network_is_cleaned(rehearsal: Rehearsal) -> None:
    rehearsal.but(
        Answer("terraform apply *", often="4"),
        Answer("terraform apply *", "DependencyViolation\\n", "1", "1"),
        Answer("aws ec2 describe-vpcs *", "vpc-1\\n"),
        Answer("aws ec2 describe-network-interfaces *", "eni-1\\n"),
        Answer("aws ec2 delete-network-interface *"),
    )
    done = rehearsal.run("cleanup.sh", "--yes")
    assert done.status == 0, done.err
    last = rehearsal.calls("terraform apply", "aws ec2 delete-network-interface")[-4:]
    assert [call.split()[0] for call in last] == ["aws", "terraform", "aws", "terraform"]
    assert targets(rehearsal)[-2:] == ["module.vpc"] * 2


def test_a_destroy_that_never_succeeds_is_an_error(rehearsal: Rehearsal) -> None:
    rehearsal.but(Answer("terraform plan *=module.eks", "no\\n", "1"))
    done = rehearsal.run("cleanup.sh", "--yes")
    assert done.status == 20
    assert done.errors[0].startswith("Error: Stage 3 of 4 (destroy) failed:")
    assert targets(rehearsal)[-3:] == ["module.eks"] * 3
    rehearsal.but()
    assert rehearsal.run("cleanup.sh", "--yes").status == 0


def test_instance_profiles_are_deleted_before_the_role_of_the_nodes(rehearsal: Rehearsal) -> None:
    rehearsal.but(
        Answer("aws iam list-instance-profiles-for-role *", "neuron-gateway_1\\n"),
        Answer("aws iam remove-role-from-instance-profile *"),
        Answer("aws iam delete-instance-profile *"),
    )
    rehearsal.run("cleanup.sh", "--yes")
    assert rehearsal.calls("aws iam remove", "aws iam delete") == [
        "aws iam remove-role-from-instance-profile --instance-profile-name neuron-gateway_1 "
        "--role-name karpenterNode-neuron-gateway",
        "aws iam delete-instance-profile --instance-profile-name neuron-gateway_1",
    ]


def test_what_is_left_is_listed_with_its_price(rehearsal: Rehearsal) -> None:
    rehearsal.but(Answer("aws ec2 describe-nat-gateways *", "nat-1\\n"))
    done = rehearsal.run("cleanup.sh", "--yes")
    assert done.status == 30
    assert "NAT gateways, $33 a month each: nat-1" in done.out
    assert "Run ./cleanup.sh again" in done.errors[0]


def test_volumes_and_logs_are_deleted(rehearsal: Rehearsal) -> None:
    rehearsal.but(
        Answer("aws ec2 describe-volumes *", "vol-1\\n", often="1"),
        Answer("aws ec2 delete-volume *"),
        Answer("aws logs describe-log-groups *", "/aws/eks/neuron-gateway/cluster\\n", often="1"),
        Answer("aws logs delete-log-group *"),
    )
    assert rehearsal.run("cleanup.sh", "--yes").status == 0
    assert rehearsal.calls("aws ec2 delete-volume", "aws logs delete") == [
        "aws ec2 delete-volume --volume-id vol-1",
        "aws logs delete-log-group --log-group-name /aws/eks/neuron-gateway/cluster",
    ]


def test_a_plan_changes_nothing_and_prints_the_changes(rehearsal: Rehearsal) -> None:
    done = rehearsal.run("cleanup.sh", "--plan-only")
    assert done.status == 0, done.err
    assert rehearsal.changes() == []
    would = [line for line in done.out.splitlines() if line.startswith("  would: ")]
    assert would[0].startswith("  would: kubectl delete rayservices.ray.io")
    assert any("terraform destroy" in line and "module.vpc" in line for line in would)

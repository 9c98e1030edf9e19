"""Answers of AWS and the cluster when nothing fails; a test's own answers have precedence."""

from typing import NamedTuple

ACCOUNT = "123456789012"
BUCKET = f"neuron-gateway-models-{ACCOUNT}-us-west-2"
REGISTRY = f"{ACCOUNT}.dkr.ecr.us-west-2.amazonaws.com/neuron-gateway"
NO_CLUSTER = "An error occurred (ResourceNotFoundException): No cluster found\\n"


class Answer(NamedTuple):
    """An answer to calls that match a pattern of the shell."""

    pattern: str
    text: str = ""
    status: str = "0"
    often: str = "always"

    def line(self) -> str:
        """Return the answer as a line of the list of answers."""
        return "\t".join((self.often, self.pattern, self.status, self.text)) + "\n"


TOOLS = [
    Answer("aws --version", "aws-cli/2.31.0 Python/3.13.7 Linux/6.1\\n"),
    Answer("helm version --short", "v3.19.0+g3d8990f\\n"),
    Answer("kubectl version --client", "Client Version: v1.35.0\\nKustomize Version: v5.7.1\\n"),
    Answer("terraform version", "Terraform v1.11.4\\non linux_amd64\\n"),
    Answer("aws sts get-caller-identity *", f"{ACCOUNT}\\tarn:aws:iam::{ACCOUNT}:user/someone\\n"),
    Answer("aws configure get region", "", "1"),
    Answer("aws eks update-kubeconfig *"),
    Answer("kubectl get --raw /readyz *", "ok"),
]

INSTALL = [
    Answer("aws ec2 describe-instance-type-offerings *", "us-west-2b\\tus-west-2d\\n"),
    Answer("aws service-quotas get-service-quota *", "96.0\\n"),
    Answer("aws iam get-role *", "NoSuchEntity\\n", "254"),
    Answer("helm list *"),
    Answer("kubectl get namespace neuron-gateway", "not found\\n", "1"),
    Answer("kubectl create namespace neuron-gateway"),
    Answer("kubectl create configmap *", "kind: ConfigMap\\n"),
    Answer("kubectl create secret *", "kind: Secret\\n"),
    Answer("kubectl apply *"),
    Answer("aws s3api head-bucket *", "Not Found\\n", "254"),
    Answer("aws ecr describe-repositories *", "RepositoryNotFoundException\\n", "254"),
]

TERRAFORM = [
    Answer("terraform output -raw model_store", BUCKET),
    Answer("terraform output -raw registry", REGISTRY),
    Answer(
        "terraform output -raw configure_kubectl",
        "aws eks update-kubeconfig --region us-west-2 --name neuron-gateway",
    ),
    Answer("terraform state list"),
    Answer("terraform console *", '"neuron-gateway"\\n'),
    Answer("terraform *"),
]

NOTHING_THERE = [
    Answer("aws eks describe-cluster *", NO_CLUSTER, "254"),
    Answer("aws iam list-instance-profiles-for-role *", "NoSuchEntity\\n", "254"),
    Answer("aws s3api head-bucket *", "Not Found\\n", "254"),
    Answer("aws ecr describe-repositories *", "RepositoryNotFoundException\\n", "254"),
    Answer("aws ec2 describe-*"),
    Answer("aws logs describe-log-groups *"),
    Answer("aws elb describe-load-balancers *"),
    Answer("aws elbv2 describe-*"),
    Answer("aws elasticache describe-replication-groups *", "NotFound\\n", "254"),
]

# Everything that a cluster in use has; what cleanup.sh does makes it go.
A_CLUSTER = [
    Answer("aws eks describe-cluster *", "ACTIVE\\n", often="1"),
    Answer("kubectl get rayservices.ray.io *", "rayservice.ray.io/neuron-gateway\\n"),
    Answer("kubectl get ingresses.networking.k8s.io *", "ingress.networking.k8s.io/gateway\\n"),
    Answer("kubectl get services *", "team/chat\\n"),
    Answer("kubectl get rayjobs.ray.io *"),
    Answer("kubectl get rayclusters.ray.io *"),
    Answer("kubectl get customresourcedefinition *"),
    Answer("kubectl get nodeclaims.karpenter.sh *", "nodeclaim.karpenter.sh/inf2-x\\n", often="2"),
    Answer("kubectl get nodeclaims.karpenter.sh *"),
    Answer("kubectl get ec2nodeclasses.karpenter.k8s.aws *", "ec2nodeclass/neuron\\n"),
    Answer("kubectl delete *"),
    Answer("kubectl scale *"),
    Answer("kubectl patch *"),
]

"""What the namespace must have before a service is applied: Secrets and a ConfigMap."""

from collections.abc import Iterator

from engine import Finding
from gateway.commands.cluster.cluster import Cluster
from gateway.commands.cluster.kubectl import Absent
from gateway.commands.cluster.names import MODEL_STORE_KEYS


def namespace(cluster: Cluster) -> Iterator[Finding]:
    """Yield whether the namespace is there."""
    name = cluster.namespace
    try:
        cluster.row("namespace", name)
    except Absent:
        yield Finding("namespace", "error", f"no {name}", f"kubectl create namespace {name}")
    else:
        yield Finding("namespace", "ok", name)


def gateway_keys(cluster: Cluster) -> Iterator[Finding]:
    """Yield whether the Secret of the API keys is there; its content is not read."""
    secret, space = "gateway-keys", cluster.namespace
    try:
        cluster.row("secret", secret)
    except Absent:
        fix = f"kubectl -n {space} create secret generic {secret} --from-file=keys.yaml"
        yield Finding(
            f"Secret {secret}", "error", "absent: workers would not start",
            f"neuron-gateway keys new NAME --file keys.yaml, then {fix}",
        )  # fmt: skip
    else:
        yield Finding(f"Secret {secret}", "ok", "present")


def hub_token(cluster: Cluster) -> Iterator[Finding]:
    """Yield whether the Secret of the Hugging Face token is there; its content is not read."""
    secret, space = "hf-token", cluster.namespace
    if not cluster.wants_neuron:
        return
    try:
        cluster.row("secret", secret)
    except Absent:
        yield Finding(
            f"Secret {secret}", "warning", "absent: gated models cannot be copied",
            f'printf %s "$HF_TOKEN" | kubectl -n {space} create secret generic {secret} '
            "--from-file=token=/dev/stdin",
        )  # fmt: skip
    else:
        yield Finding(f"Secret {secret}", "ok", "present")


def model_store(cluster: Cluster) -> Iterator[Finding]:
    """Yield whether the ConfigMap names the bucket of weights and artifacts."""
    name, keys = "model-store", MODEL_STORE_KEYS
    if not cluster.wants_neuron:
        return
    try:
        data = cluster.named("configmap", name).get("data") or {}
    except Absent:
        data = {}
    missing = [key for key in keys if not data.get(key)]
    if not missing:
        yield Finding(f"ConfigMap {name}", "ok", f"{data['bucket']} in {data['region']}")
        return
    yield Finding(
        f"ConfigMap {name}", "error", f"without {' and '.join(missing)}",
        f"kubectl -n {cluster.namespace} create configmap {name} --from-literal=bucket=BUCKET "
        "--from-literal=region=REGION",
    )  # fmt: skip

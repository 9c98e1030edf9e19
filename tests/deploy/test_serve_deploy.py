"""`serve deploy` of the rendered Serve config on Ray nodes that offer NeuronCores."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.deploy.checks.manifests import DEPLOY, ON_NEURON, OVERLAYS, of_kind, overlay
from tests.deploy.ray_cluster import Cluster
from tests.serving import ROOT, ray_folder, until

pytestmark = [
    pytest.mark.deploy,
    pytest.mark.ray,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore"),  # Ray's own
]

# The arguments of deploy/docker/drain.sh, which a node's id completes.
DRAIN = (
    "drain-node", "--reason", "DRAIN_NODE_REASON_PREEMPTION",
    "--reason-message", "the pod is to stop", "--deadline-remaining-seconds", "750",
)  # fmt: skip


def config(folder: Path, port: int, **more: Any) -> Path:
    """Write the overlay's Serve config with a simulated device."""
    (service,) = of_kind(overlay("inf2-8xlarge"), "RayService")
    found: dict[str, Any] = yaml.safe_load(service["spec"]["serveConfigV2"])
    (application,) = found["applications"]
    (model,) = application["args"]["models"]
    cores = model["engine"]["device"]["tensor_parallel_size"]
    model["engine"]["device"] = {"kind": "simulated", "profile": "inf2-tp2", "time_scale": 0.1}
    options = {"num_cpus": 0, "resources": {"neuron_cores": cores}}
    application["deployments"] = [{"name": "GatewayReplica", "ray_actor_options": options}]
    application["args"]["keys_file"] = str(folder / "keys.yaml")
    found["http_options"] = {"host": "127.0.0.1", "port": port}
    file = folder / "serve.yaml"
    file.write_text(yaml.safe_dump(found | more))
    return file


def new_key(folder: Path) -> str:
    command = [sys.executable, "-m", "gateway", "keys", "new", "alice", "--file"]
    done = subprocess.run(
        [*command, str(folder / "keys.yaml")], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return done.stdout.strip()


def ask(url: str, key: str | None, tokens: int = 5) -> httpx.Response:
    body = {
        "model": "meta-llama/Meta-Llama-3-8B-Instruct",
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": tokens,
        "ignore_eos": True,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx.post(f"{url}/v1/chat/completions", json=body, headers=headers, timeout=120)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with ray_folder() as ray:
        yield Cluster(tmp_path, ray)


def test_the_rendered_config_serves_on_a_node_with_two_neuron_cores(
    tmp_path: Path, cluster: Cluster
) -> None:
    key = new_key(tmp_path)
    with cluster.head(cores=2):
        cluster.deploy(config(tmp_path, cluster.gateway))
        until(cluster.ready, 120)
        assert cluster.seen() == (1, 0)
        assert ask(cluster.url, None).status_code == 401
        answer = ask(cluster.url, key)
    assert answer.status_code == 200
    assert answer.text.endswith("data: [DONE]\n\n")


def test_streams_end_while_serve_moves_their_replica_to_another_node(
    tmp_path: Path, cluster: Cluster
) -> None:
    key = new_key(tmp_path)
    answers: list[httpx.Response] = []
    with cluster.head(cores=0), cluster.worker(cores=2), cluster.worker(cores=2):
        # One machine has one port 8000, so that only the head's proxy runs.
        cluster.deploy(config(tmp_path, cluster.gateway, proxy_location="HeadOnly"))
        until(cluster.ready, 120)
        until(cluster.replicas, 30)  # the controller hears of it a moment later
        (before,) = cluster.replicas()
        stream = threading.Thread(target=lambda: answers.append(ask(cluster.url, key, 3000)))
        stream.start()
        drained = cluster.run("ray", *DRAIN, "--node-id", before["node_id"])
        assert drained.returncode == 0, drained.stdout + drained.stderr
        until(lambda: any(r["node_id"] != before["node_id"] for r in cluster.replicas()), 90)
        stream.join()
        assert ask(cluster.url, key).status_code == 200
    assert '"completion_tokens":3000' in answers[0].text


@pytest.mark.parametrize("name", OVERLAYS)
def test_check_reads_a_clusters_config_on_a_laptop(name: str) -> None:
    file = DEPLOY / "k8s" / "overlays" / name / "config" / "serve.yaml"
    command = [sys.executable, "-m", "gateway", "check", "--offline", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "replicas:" in done.stdout


@pytest.mark.parametrize("name", ON_NEURON)
def test_the_clusters_engine_is_that_of_the_file_for_a_single_machine(name: str) -> None:
    file = DEPLOY / "k8s" / "overlays" / name / "config" / "serve.yaml"
    model = "llama3-70b" if name.endswith("-70b") else "llama3-8b"
    alone = DEPLOY / "serve" / f"{name.removesuffix('-70b')}-{model}.yaml"
    assert engine(yaml.safe_load(file.read_text())) == engine(yaml.safe_load(alone.read_text()))


def engine(document: dict[str, Any]) -> dict[str, Any]:
    """Return the engine of a config without its folders, which depend on the machine."""
    (model,) = document["applications"][0]["args"]["models"]
    found: dict[str, Any] = model["engine"]
    device = {key: value for key, value in found["device"].items() if key != "artifacts"}
    return found | {"device": device, "model": model["id"]}

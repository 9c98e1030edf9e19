"""`serve deploy` of the rendered Serve config on a Ray node that offers two NeuronCores."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from gateway.config import AppConfig
from gateway.environment import serve_environment
from gateway.haproxy import write_script
from tests.deploy.checks.manifests import DEPLOY, of_kind, overlay
from tests.serving import ROOT, free_port, until

pytestmark = [
    pytest.mark.deploy,
    pytest.mark.ray,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("default"),  # Ray's own
]

BIN = Path(sys.executable).parent
CORES = """
import json, ray
ray.init(address="auto", log_to_driver=False)
print(json.dumps(ray.available_resources().get("neuron_cores", 0)))
"""


class Node:
    """A Ray node as a worker pod has it, and the gateway that is deployed there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.gateway, self.dashboard, self.gcs = free_port(), free_port(), free_port()
        stats, metrics = free_port(), free_port()
        write_script(folder / "haproxy", stats, metrics)
        self.environment = os.environ | serve_environment(AppConfig()) | {
            "RAY_SERVE_HAPROXY_BINARY_PATH": str(folder / "haproxy"),
            "RAY_SERVE_HAPROXY_STATS_PORT": str(stats),
            "RAY_SERVE_HAPROXY_METRICS_PORT": str(metrics),
            "RAY_ADDRESS": f"127.0.0.1:{self.gcs}",
            "RAY_AUTH_MODE": "token",  # as the operator sets it
            "RAY_AUTH_TOKEN": "of-a-test-and-long-enough-for-ray",
            "PYTHONPATH": str(ROOT),
        }  # fmt: skip
        self.url = f"http://127.0.0.1:{self.gateway}"

    @contextlib.contextmanager
    def started(self) -> Iterator[None]:
        """Run `ray start` with what KubeRay makes of the group's resources."""
        command = [
            str(BIN / "ray"), "start", "--head", "--block", "--node-ip-address", "127.0.0.1",
            "--port", str(self.gcs), "--dashboard-host", "127.0.0.1", "--dashboard-port",
            str(self.dashboard), "--num-cpus", "4", "--resources", '{"neuron_cores": 2}',
            "--object-store-memory", "200000000", "--disable-usage-stats",
        ]  # fmt: skip
        log = (self.folder / "ray.log").open("w")
        with (
            log,
            subprocess.Popen(
                command,
                env=self.environment | {"RAY_ADDRESS": ""},
                stdout=log,
                stderr=log,
                cwd=ROOT,
            ) as process,
        ):
            try:
                until(lambda: self.run("status").returncode == 0, 60)
                yield
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(60)

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a `ray` command against the node."""
        return self._command(str(BIN / "ray"), *words)

    def deploy(self, file: Path) -> "subprocess.CompletedProcess[str]":
        """Run `serve deploy`."""
        address = f"http://127.0.0.1:{self.dashboard}"
        return self._command(str(BIN / "serve"), "deploy", str(file), "-a", address)

    def free_cores(self) -> str:
        """Ask Ray how many NeuronCores nobody has."""
        return self._command(sys.executable, "-c", CORES).stdout.strip()

    def _command(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            words, env=self.environment, capture_output=True, text=True, timeout=60, cwd=ROOT
        )

    def ready(self) -> bool:
        """Whether the engine answers, as the pod's readiness probe asks it."""
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False


def config(folder: Path, port: int) -> Path:
    """Take the overlay's Serve config; no inf2 is here, so the device is a simulated one."""
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
    file.write_text(yaml.safe_dump(found))
    return file


def new_key(folder: Path) -> str:
    command = [sys.executable, "-m", "gateway", "keys", "new", "alice", "--file"]
    done = subprocess.run(
        [*command, str(folder / "keys.yaml")], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return done.stdout.strip()


def test_the_rendered_config_serves_on_a_node_with_two_neuron_cores(tmp_path: Path) -> None:
    key = new_key(tmp_path)
    node = Node(tmp_path)
    with node.started():
        done = node.deploy(config(tmp_path, node.gateway))
        assert done.returncode == 0, done.stdout + done.stderr
        until(node.ready, 120)
        assert node.free_cores() == "0"
        body = {
            "model": "meta-llama/Meta-Llama-3-8B-Instruct",
            "messages": [{"role": "user", "content": "hi"}],
            "max_tokens": 5,
            "stream": True,
        }
        stranger = httpx.post(f"{node.url}/v1/chat/completions", json=body, timeout=20)
        assert stranger.status_code == 401
        answer = httpx.post(
            f"{node.url}/v1/chat/completions", json=body, timeout=20,
            headers={"Authorization": f"Bearer {key}"},
        )  # fmt: skip
        assert answer.status_code == 200
        assert answer.text.endswith("data: [DONE]\n\n")


def test_the_clusters_engine_is_that_of_the_file_for_a_single_machine() -> None:
    for size in ("8xlarge", "24xlarge", "48xlarge"):
        cluster = yaml.safe_load(
            (DEPLOY / "k8s" / "overlays" / f"inf2-{size}" / "config" / "serve.yaml").read_text()
        )
        alone = yaml.safe_load((DEPLOY / "serve" / f"inf2-{size}-llama3-8b.yaml").read_text())
        assert engine(cluster) == engine(alone)


def engine(document: dict[str, Any]) -> dict[str, Any]:
    """Give the engine of a config without the folders, which are those of the machine."""
    (model,) = document["applications"][0]["args"]["models"]
    found: dict[str, Any] = model["engine"]
    device = {key: value for key, value in found["device"].items() if key != "artifacts"}
    return found | {"device": device, "model": model["id"]}

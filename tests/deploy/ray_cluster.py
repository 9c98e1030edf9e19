"""A Ray cluster of processes on this machine, started as KubeRay starts it in pods."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from gateway.config import AppConfig
from gateway.serving.environment import serve_environment
from gateway.serving.host import host_environment
from tests.serving import ROOT, free_port, until

BIN = Path(sys.executable).parent
TOKEN = "of-a-test-and-long-enough-for-ray"
RESOURCES = """
import json, ray
ray.init(address="auto", log_to_driver=False)
nodes = sum(node["Alive"] for node in ray.nodes())
print(json.dumps([nodes, ray.available_resources().get("neuron_cores", 0)]))
"""


class Cluster:
    """A head, workers, and the gateway that is deployed there."""

    def __init__(self, folder: Path, ray: str) -> None:
        self.folder = folder
        self.gateway, self.dashboard, self.gcs = free_port(), free_port(), free_port()
        self.environment = (
            os.environ
            | serve_environment(AppConfig())
            | host_environment()
            | {
                "RAY_TMPDIR": ray,
                "RAY_SERVE_HAPROXY_BINARY_PATH": str(BIN / "neuron-gateway-haproxy"),
                "RAY_ADDRESS": f"127.0.0.1:{self.gcs}",
                "RAY_AUTH_MODE": "token",  # as the operator sets it
                "RAY_AUTH_TOKEN": TOKEN,
                "PYTHONPATH": str(ROOT),
                "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",  # nothing runs when a test ends
            }
        )
        self.url = f"http://127.0.0.1:{self.gateway}"

    @contextlib.contextmanager
    def head(self, cores: int) -> Iterator[None]:
        """Start the head; it offers NeuronCores only where there is no worker."""
        here = ("--head", "--port", str(self.gcs), "--dashboard-host", "127.0.0.1")
        here += ("--dashboard-port", str(self.dashboard))
        with self._node(*here, "--num-cpus", "0", cores=cores):
            until(lambda: self.run("ray", "status").returncode == 0, 60)
            yield

    @contextlib.contextmanager
    def worker(self, cores: int) -> Iterator[None]:
        """Start a worker and wait until it has joined: two at once take the same ports."""
        before, _ = self.seen()
        here = ("--address", f"127.0.0.1:{self.gcs}", "--num-cpus", "2")
        with self._node(*here, cores=cores):
            until(lambda: self.seen()[0] > before, 60)
            yield

    @contextlib.contextmanager
    def _node(self, *arguments: str, cores: int) -> Iterator[None]:
        """Run `ray start` with the arguments that KubeRay generates for a group."""
        command = [
            str(BIN / "ray"), "start", "--block", "--node-ip-address", "127.0.0.1", *arguments,
            "--resources", json.dumps({"neuron_cores": cores} if cores else {}),
            "--object-store-memory", "200000000", "--disable-usage-stats",
        ]  # fmt: skip
        environment = self.environment | {"RAY_ADDRESS": ""}
        with (
            (self.folder / "ray.log").open("a") as log,
            subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=ROOT) as node,
        ):
            try:
                yield
            finally:
                node.send_signal(signal.SIGTERM)
                node.wait(60)

    def run(self, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a program of the environment against the cluster."""
        command = [str(BIN / program), *arguments]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=60, cwd=ROOT
        )

    def deploy(self, file: Path) -> None:
        """Run `serve deploy` until the dashboard accepts it."""
        arguments = ("deploy", str(file), "-a", f"http://127.0.0.1:{self.dashboard}")
        until(lambda: self.run("serve", *arguments).returncode == 0, 60)

    def seen(self) -> tuple[int, float]:
        """Return the number of nodes and of free NeuronCores."""
        nodes, cores = json.loads(self.run("python", "-c", RESOURCES).stdout)
        return int(nodes), float(cores)

    def replicas(self) -> list[dict[str, Any]]:
        """Return the running replicas, each with its node."""
        url = f"http://127.0.0.1:{self.dashboard}/api/serve/applications/"
        answer = httpx.get(url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=20)
        deployments = answer.json()["applications"]["gateway"]["deployments"]
        found = deployments["GatewayReplica"]["replicas"]
        return [replica for replica in found if replica["state"] == "RUNNING"]

    def ready(self) -> bool:
        """Return whether the pod's readiness probe would succeed."""
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

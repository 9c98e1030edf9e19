"""The images of gateway and web chat, built from their Dockerfiles, and deploy/compose with them.

No registry is needed: a Debian with its own Python replaces the Python image. buildah runs the
Dockerfiles unchanged; podman and podman-compose run the containers, with an engine of their own.
"""

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from openai import OpenAI

from tests.deploy.checks.manifests import DEPLOY, ROOT, pins
from tests.serving import free_port, until
from tests.tools import require_tool, unavailable

pytestmark = [pytest.mark.images, pytest.mark.timeout(900), pytest.mark.filterwarnings("default")]

STAND_IN = "localhost/stand-in-for-python"
CA = Path("/etc/ssl/certs/ca-certificates.crt")
TOOLS = ("aardvark-dns", "buildah", "catatonit", "debootstrap", "netavark", "podman", "runc")
MODEL = "smollm2-135m-instruct"
STORAGE = """
[storage]
driver = "overlay"
graphroot = "{folder}/root"
runroot = "{folder}/run"
"""
# A container's limits are at most those of this process, which may not raise its own.
ENGINE = """
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=10000:10000"]
[network]
network_backend = "netavark"
"""


class Containers:
    """buildah, podman and podman-compose with a store of their own, which is deleted at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in {"storage": STORAGE, "containers": ENGINE}.items():
            (folder / f"{name}.conf").write_text(text.format(folder=folder))
        self.ports = {name: str(free_port()) for name in ("PORT", "WEBUI_PORT")}
        self._environment = os.environ | self.ports
        self._environment["CONTAINERS_STORAGE_CONF"] = str(folder / "storage.conf")
        self._environment["CONTAINERS_CONF"] = str(folder / "containers.conf")

    def run(self, tool: str, *arguments: str) -> str:
        """Run one of the tools; return what it printed."""
        command = [require_tool(tool), *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=ROOT, env=self._environment
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
        return done.stdout.strip()

    def compose(self, *arguments: str) -> str:
        """Run podman-compose on the stack of the CPU."""
        file = str(DEPLOY / "compose" / "cpu.yaml")
        return self.run("podman-compose", "-f", file, *arguments)

    def url(self, port: str) -> str:
        """Return the address of a published port."""
        return f"http://127.0.0.1:{self.ports[port]}"

    def stand_in(self) -> None:
        """Build the base image: Debian with Python and the certificates of this host."""
        root = self.folder / "debian"
        packages = "python3,python3-venv,python3-pip,ca-certificates"
        command = ["debootstrap", "--variant=minbase", f"--include={packages}", "bookworm"]
        subprocess.run([*command, str(root)], check=True, capture_output=True)
        container = self.run("buildah", "from", "scratch")
        self.run("buildah", "add", "--quiet", container, str(root), "/")
        variables = ("--env", f"SSL_CERT_FILE={CA}", "--env", f"PIP_CERT={CA}")
        self.run("buildah", "config", *variables, container)
        self.run("buildah", "commit", "--quiet", container, STAND_IN)
        self.run("buildah", "rm", container)
        shutil.rmtree(root)

    def build(self, name: str, tag: str, **arguments: str) -> None:
        """Build an image from its Dockerfile."""
        options = ["--isolation", "chroot", "--pull=never", "--volume", f"{CA}:{CA}:ro"]
        for key, value in {"PYTHON_IMAGE": STAND_IN, **arguments}.items():
            options += ["--build-arg", f"{key}={value}"]
        if wheels := os.environ.get("PIP_FIND_LINKS"):
            options += ["--volume", f"{wheels}:{wheels}:ro"]
        file = str(DEPLOY / "docker" / f"{name}.Dockerfile")
        self.run("buildah", "bud", *options, "-f", file, "-t", f"neuron-gateway/{name}:{tag}", ".")


@pytest.fixture(scope="module")
def containers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containers]:
    """Yield the tools after both images are built."""
    for tool in TOOLS:
        require_tool(tool)
    if os.getuid() != 0:
        unavailable("images are built by root")
    folder = tmp_path_factory.mktemp("images")
    built = Containers(folder)
    built.stand_in()
    wheels = os.environ.get("PIP_FIND_LINKS")
    torch = f"--find-links {wheels}" if wheels else "--torch-backend cpu"
    built.build("gateway", f"{pins()['GATEWAY']}-cpu", EXTRAS="serve,cpu,hub", TORCH=torch)
    built.build("webui", pins()["GATEWAY"])
    yield built
    built.run("podman", "system", "reset", "--force")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def key(containers: Containers) -> str:
    """The first API key, as the command shows it."""
    return containers.compose("--profile", "setup", "run", "--rm", "-T", "keys").splitlines()[-1]


@pytest.fixture(scope="module")
def stack(containers: Containers, key: str) -> Iterator[Containers]:
    """Yield the stack when its model answers."""
    containers.compose("up", "-d", "--no-build")
    try:
        until(lambda: answers(f"{containers.url('PORT')}/readyz"), 300)
        yield containers
    finally:
        containers.compose("down", "-v")


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def client(stack: Containers, key: str) -> OpenAI:
    return OpenAI(base_url=f"{stack.url('PORT')}/v1", api_key=key, max_retries=0, timeout=120)


def test_the_first_key_is_made_once(containers: Containers, key: str) -> None:
    assert key.startswith("ngw-")
    assert "ngw-" not in containers.compose("--profile", "setup", "run", "--rm", "-T", "keys")


def test_an_image_has_the_tools_that_kuberay_calls_and_no_root(stack: Containers) -> None:
    inside = ("podman", "exec", "neuron-gateway_gateway_1")
    assert stack.run(*inside, "id", "-u") == "10001"
    for tool in ("bash", "wget", "grep", "ray", "hf"):
        stack.run(*inside, "bash", "-c", f"command -v {tool}")


def test_the_stack_answers_a_chat(stack: Containers, key: str) -> None:
    answer = client(stack, key).chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Hello"}], max_tokens=8
    )
    assert answer.usage
    assert answer.usage.completion_tokens == 8


def test_without_a_key_it_answers_nobody(stack: Containers) -> None:
    assert httpx.get(f"{stack.url('PORT')}/v1/models").status_code == 401


def test_the_stack_shows_the_web_chats_page(stack: Containers) -> None:
    until(lambda: answers(f"{stack.url('WEBUI_PORT')}/healthz"), 120)
    assert "neuron-gateway chat" in httpx.get(stack.url("WEBUI_PORT"), timeout=20).text


def test_prometheus_finds_the_metrics(stack: Containers, key: str) -> None:
    code = "import urllib.request as r; print(r.urlopen('http://gateway:8080/metrics').read().decode())"
    inside = ("podman", "exec", "neuron-gateway_webui_1", "python", "-c", code)
    until(lambda: "ray_neuron_gateway_phase" in stack.run(*inside), 60)


def test_a_stop_lets_a_running_stream_end(stack: Containers, key: str) -> None:
    stream = client(stack, key).chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "Hello"}],
        max_tokens=300,
        stream=True,
        extra_body={"ignore_eos": True},
    )
    frames = iter(stream)
    next(frames)
    stop = threading.Thread(target=stack.compose, args=("stop",))
    stop.start()
    rest = list(frames)
    stop.join()
    assert rest[-1].choices[0].finish_reason == "length"
    assert (
        stack.run("podman", "inspect", "-f", "{{.State.ExitCode}}", "neuron-gateway_gateway_1")
        == "0"
    )

"""The images of gateway and web chat, built from their Dockerfiles and run.

No registry is needed: a Debian with its own Python replaces the Python image. buildah runs the
Dockerfiles unchanged.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.deploy.checks.manifests import DEPLOY, ROOT
from tests.serving import free_port, until
from tests.tools import require_tool, unavailable

pytestmark = [pytest.mark.images, pytest.mark.timeout(900), pytest.mark.filterwarnings("default")]

STAND_IN = "localhost/stand-in-for-python"
CA = Path("/etc/ssl/certs/ca-certificates.crt")


class Builder:
    """buildah with a store of its own, which is deleted at the end."""

    def __init__(self, folder: Path) -> None:
        self._store = ["--root", str(folder / "store"), "--runroot", str(folder / "run")]
        self._store += ["--storage-driver", "vfs"]
        self.folder = folder

    def __call__(self, *arguments: str) -> str:
        command = ["buildah", *self._store, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
        return done.stdout.strip()

    def stand_in(self) -> None:
        """Build the base image: Debian with Python and the certificates of this host."""
        root = self.folder / "debian"
        packages = "python3,python3-venv,python3-pip,ca-certificates"
        command = ["debootstrap", "--variant=minbase", f"--include={packages}", "bookworm"]
        subprocess.run([*command, str(root)], check=True, capture_output=True)
        container = self("from", "scratch")
        self("add", "--quiet", container, str(root), "/")
        self("config", "--env", f"SSL_CERT_FILE={CA}", "--env", f"PIP_CERT={CA}", container)
        self("commit", "--quiet", container, STAND_IN)
        self("rm", container)
        shutil.rmtree(root)

    def build(self, name: str, **arguments: str) -> str:
        """Build an image from its Dockerfile."""
        options = ["--isolation", "chroot", "--pull=never", "--volume", f"{CA}:{CA}:ro"]
        for key, value in {"PYTHON_IMAGE": STAND_IN, **arguments}.items():
            options += ["--build-arg", f"{key}={value}"]
        if wheels := os.environ.get("PIP_FIND_LINKS"):
            options += ["--volume", f"{wheels}:{wheels}:ro"]
        self("bud", *options, "-f", str(DEPLOY / "docker" / f"{name}.Dockerfile"), "-t", name, ".")
        return self("from", "--pull-never", f"localhost/{name}")

    def popen(self, container: str, *arguments: str) -> "subprocess.Popen[bytes]":
        """Run a command in a container, on this host's network."""
        command = ["buildah", *self._store, "run", "--isolation", "chroot", "--network", "host"]
        return subprocess.Popen([*command, container, "--", *arguments])


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    require_tool("buildah")
    require_tool("debootstrap")
    if os.getuid() != 0:
        unavailable("images are built by root")
    folder = tmp_path_factory.mktemp("images")
    built = Builder(folder)
    built.stand_in()
    yield built
    shutil.rmtree(folder, ignore_errors=True)


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def test_the_gateways_image_serves_a_model_as_an_unprivileged_user(builder: Builder) -> None:
    wheels = os.environ.get("PIP_FIND_LINKS")
    torch = f"--find-links {wheels}" if wheels else "--torch-backend cpu"
    container = builder.build("gateway", EXTRAS="serve,cpu,hub", TORCH=torch)
    assert builder("run", "--isolation", "chroot", container, "--", "id", "-u") == "10001"
    for tool in ("bash", "wget", "grep", "ray", "hf"):
        builder("run", "--isolation", "chroot", container, "--", "bash", "-c", f"command -v {tool}")
    port = str(free_port())
    command = ["neuron-gateway", "serve", "/opt/neuron-gateway/serve/cpu.yaml", "--port", port]
    process = builder.popen(container, *command, "--without-ray")
    try:
        until(lambda: answers(f"http://127.0.0.1:{port}/readyz"), 180)
        body = {
            "model": "smollm2-135m-instruct",
            "messages": [{"role": "user", "content": "Hello"}],
            "max_tokens": 8,
        }
        answer = httpx.post(f"http://127.0.0.1:{port}/v1/chat/completions", json=body, timeout=60)
        assert answer.json()["usage"]["completion_tokens"] == 8
    finally:
        process.terminate()
        process.wait(60)


def test_the_web_chats_image_shows_the_page(builder: Builder) -> None:
    container = builder.build("webui")
    port = str(free_port())
    process = builder.popen(
        container, "python", "-m", "clients.gradio_chat", "--host", "127.0.0.1", "--port", port
    )
    try:
        until(lambda: answers(f"http://127.0.0.1:{port}/healthz"), 120)
        assert "neuron-gateway chat" in httpx.get(f"http://127.0.0.1:{port}/", timeout=20).text
    finally:
        process.terminate()
        process.wait(60)

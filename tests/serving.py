"""`neuron-gateway serve` as a process, with everything below it, for tests under Ray."""

import contextlib
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import yaml

ROOT = Path(__file__).parents[1]
# A simulated device with a token every 20 ms and no prefill time.
STEADY: dict[str, Any] = {
    "kind": "simulated",
    "prefill_base_ms": 0,
    "prefill_ms_per_token": 0,
    "decode_base_ms": 20,
    "decode_ms_per_slot": 0,
}

# What `serve deploy` does, without the dashboard that it goes through.
DEPLOY = """
import sys, ray
from ray import serve
from pathlib import Path
from gateway.config import load_config
from gateway.serving.ray_app import build_app
ray.init(address="auto", log_to_driver=False)
serve.run(build_app(load_config(Path(sys.argv[1]))), name="gateway", route_prefix="/")
"""


class Gateway:
    """A gateway that the command line started, and the processes below it."""

    def __init__(
        self, url: str, process: "subprocess.Popen[str]", environment: Mapping[str, str]
    ) -> None:
        self.url = url
        self._process = process
        self._environment = environment

    @property
    def ray_logs(self) -> Path:
        """The folder of Ray's logs."""
        return Path(self._environment["RAY_TMPDIR"], "ray", "session_latest", "logs")

    def run_driver(self, code: str, *arguments: str) -> str:
        """Run a script in which `ray.init(address="auto")` connects to this cluster."""
        (raylet,) = self.descendants("raylet/raylet")
        address = re.search(r"--gcs-address=([\w.:]+)", title(raylet))
        assert address
        # "token" is the mode of a cluster that `ray.init` starts.
        environment = {"RAY_ADDRESS": address[1], "RAY_AUTH_MODE": "token"}
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], cwd=ROOT, stdout=subprocess.PIPE,
            env={**self._environment, **environment}, text=True, timeout=120, check=True,
        )  # fmt: skip
        return done.stdout

    def deploy(self, folder: Path, args: dict[str, Any]) -> None:
        """Replace the application by one with other arguments."""
        self.run_driver(DEPLOY, str(write_config(folder / "new.yaml", args)))

    def load(self) -> dict[str, Any]:
        """Return the load of the only model."""
        answer = httpx.get(f"{self.url}/readyz", timeout=5).json()
        (model,) = answer["models"].values()
        return dict(model)

    def descendants(self, name: str) -> list[int]:
        """Return the ids of the processes below the command whose title contains the name."""
        parents = dict(processes())
        return [pid for pid in parents if self._below(pid, parents) and name in title(pid)]

    def _below(self, pid: int, parents: dict[int, int]) -> bool:
        while pid > 1 and pid != self._process.pid:
            pid = parents.get(pid, 0)
        return pid == self._process.pid


def processes() -> Iterator[tuple[int, int]]:
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            yield int(path.parent.name), int(path.read_text().rpartition(")")[2].split()[1])


def title(pid: int) -> str:
    try:
        folder = Path(f"/proc/{pid}")
        return (folder / "cmdline").read_bytes().decode() + (folder / "comm").read_text()
    except OSError:
        return ""


def free_port() -> int:
    """Return a free port below the ephemeral ports, of which Ray's processes take many."""
    while True:
        port = random.randrange(20_000, 32_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


@contextlib.contextmanager
def ray_folder() -> Iterator[str]:
    """Make a folder for the files of a Ray cluster; its path is short, as those of sockets are."""
    with tempfile.TemporaryDirectory(
        prefix="ray-", dir="/tmp", ignore_cleanup_errors=True
    ) as folder:
        yield folder


def write_config(path: Path, args: dict[str, Any]) -> Path:
    """Write a config file with these arguments of the application."""
    application = {
        "name": "gateway",
        "import_path": "gateway.serving.ray_app:build_app",
        "args": args,
    }
    path.write_text(yaml.safe_dump({"applications": [application]}))
    return path


def interrupt(pid: int) -> None:
    """Send what Ctrl-C does."""
    os.kill(pid, signal.SIGINT)


@contextlib.contextmanager
def served(
    folder: Path,
    args: dict[str, Any],
    start_seconds: float = 120,
    environment: Mapping[str, str] | None = None,
    end: Callable[[int], None] = interrupt,
    port: int | None = None,
) -> Iterator[Gateway]:
    """Run `neuron-gateway serve` until the block ends; no process of it may be left then."""
    path = write_config(folder / "gateway.yaml", args)
    port = port or free_port()
    command = [sys.executable, "-u", "-m", "gateway", "serve", str(path), "--port", str(port)]
    with ray_folder() as ray, (folder / "log").open("w+") as log:
        given = os.environ | {"RAY_TMPDIR": ray, "RAY_ADDRESS": "local"} | dict(environment or {})
        process = subprocess.Popen(
            command, cwd=ROOT, env=given, stdout=log, stderr=subprocess.STDOUT, text=True,
            process_group=0,
        )  # fmt: skip
        gateway = Gateway(f"http://127.0.0.1:{port}", process, given)
        with process:
            try:
                until(lambda: ready(gateway) or process.poll() is not None, start_seconds)
                assert process.poll() is None, (folder / "log").read_text()
                yield gateway
                below = gateway.descendants("")
            finally:
                if process.poll() is None:
                    end(process.pid)
                process.wait(60)
            assert process.returncode in (0, 130, -signal.SIGKILL), (folder / "log").read_text()
            until(lambda: not any(title(pid) for pid in below if pid != process.pid), 10)


def ready(gateway: Gateway) -> bool:
    try:
        return httpx.get(f"{gateway.url}/readyz", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def until(true: Callable[[], object], seconds: float) -> None:
    """Wait until a condition holds; fail after some seconds."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


@contextlib.contextmanager
def repeated(call: Callable[[], str]) -> Iterator[list[str]]:
    """Call every 50 ms in a thread; yield the growing list of results."""
    results: list[str] = []
    done = threading.Event()

    def run() -> None:
        while not done.wait(0.05):
            results.append(call())

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield results
    finally:
        done.set()
        thread.join()


def ask(url: str, content: str = "Hello", **more: Any) -> dict[str, Any]:
    """Return the arguments of one request."""
    body = {"model": "sim", "messages": [{"role": "user", "content": content}], **more}
    return {"method": "POST", "url": f"{url}/v1/chat/completions", "json": body}


def answers(gateway: Gateway, **more: Any) -> bool:
    """Return whether one short request succeeds."""
    more = {"max_tokens": 2, "timeout": 10} | more
    timeout = more.pop("timeout")
    try:
        return httpx.request(**ask(gateway.url, **more), timeout=timeout).status_code == 200
    except httpx.HTTPError:
        return False


def stream(
    gateway: Gateway, request: dict[str, Any], after: tuple[int, Callable[[], None]] | None = None
) -> list[str]:
    """Return the data of all frames; call a function after a number of them."""
    frames: list[str] = []
    with httpx.stream(**request, timeout=60) as answer:
        for line in answer.iter_lines():
            if line.startswith("data: "):
                frames.append(line.removeprefix("data: "))
                if after is not None and len(frames) == after[0]:
                    after[1]()
    return frames

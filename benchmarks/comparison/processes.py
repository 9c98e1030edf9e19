"""Servers as processes: start, wait, measure, stop."""

import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx
import psutil

from benchmarks.comparison.figures import Usage

START_SECONDS: Final = 300
STOP_SECONDS: Final = 60
KEYS: Final = ("bench-alice", "bench-bob", "bench-carol", "bench-dave")  # of servers/keys.yaml
ENGINE_TITLE: Final = "VLLM::"  # vLLM's EngineCore and its workers


class ServerFailed(Exception):
    """A server that did not start, or died; the message names it and its log."""


@dataclass(frozen=True, slots=True)
class Command:
    """How a server is started and called.

    `upstream` is the server that a proxy forwards to. With `ready_text` the server is not called
    before its log contains that text.
    """

    name: str
    arguments: tuple[str, ...]
    url: str
    model: str
    environment: dict[str, str] = field(default_factory=dict)
    upstream: "Process | None" = None
    ready_text: str = ""


class Process:
    """A running server with all its descendant processes."""

    def __init__(self, command: Command, popen: "subprocess.Popen[bytes]", log: Path) -> None:
        self.command = command
        self.log = log
        self._popen = popen

    @property
    def name(self) -> str:
        """Its name in reports."""
        return self.command.name

    @property
    def pid(self) -> int:
        """The id of the started process."""
        return self._popen.pid

    @property
    def url(self) -> str:
        """Its base URL, such as http://127.0.0.1:8000/v1."""
        return self.command.url

    def check(self, when: str) -> None:
        """Raise ServerFailed if the process has ended; `when` is part of the message."""
        code = self._popen.poll()
        if code is not None:
            raise ServerFailed(
                f"{self.name} ended with code {code} {when}. The end of its log, {self.log}:\n"
                f"{self._tail()}"
            )

    def usage(self) -> Usage:
        """Return the total usage of its processes, with those of its upstream."""
        upstream = self.command.upstream
        total = upstream.usage() if upstream is not None else Usage(0, 0, 0)
        cpu, outside, memory = total.cpu, total.outside, total.memory
        for process in self._tree():
            with contextlib.suppress(psutil.NoSuchProcess):  # it has ended
                times = process.cpu_times()
                used = times.user + times.system
                cpu += used
                outside += 0 if ENGINE_TITLE in _title(process) else used
                memory += process.memory_full_info().pss / 2**20
        return Usage(cpu, outside, memory)

    def await_ready(self) -> None:
        """Wait for its first response. Raises ServerFailed if it ends before or takes too long."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            self.check("before it was ready")
            with contextlib.suppress(httpx.HTTPError):
                if self._responds():
                    return
            time.sleep(0.2)
        raise ServerFailed(
            f"{self.name} was not ready after {START_SECONDS} s. The end of its log, {self.log}:\n"
            f"{self._tail()}"
        )

    def _responds(self) -> bool:
        if self.command.ready_text not in self.log.read_text("utf-8", "replace"):
            return False
        message = {"role": "user", "content": "Hello."}
        request = {"model": self.command.model, "messages": [message], "max_tokens": 2}
        url, headers = f"{self.url}/chat/completions", {"authorization": f"Bearer {KEYS[0]}"}
        streamed = request | {"stream": True}
        return httpx.post(url, json=streamed, headers=headers, timeout=60).status_code == 200

    def stop(self) -> None:
        """Terminate it, and kill those of its processes that remain."""
        tree = self._tree()
        with contextlib.suppress(ProcessLookupError):
            self._popen.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(STOP_SECONDS)
        _, remaining = psutil.wait_procs(tree, timeout=5)
        for process in remaining:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def _tree(self) -> list[psutil.Process]:
        try:
            root = psutil.Process(self._popen.pid)
            return [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def _tail(self) -> str:
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-5:])


@contextlib.contextmanager
def running(command: Command) -> Iterator[Process]:
    """Start a server, wait until it is ready, and stop it at the end of the block."""
    if command.upstream is not None:
        command.upstream.check(f"before {command.name} could use it")
    log = Path(tempfile.gettempdir()) / f"bench-{command.name.replace(' ', '-')}.log"
    with log.open("wb") as output:
        popen = _start(command, output.fileno())
    process = Process(command, popen, log)
    try:
        process.await_ready()
        yield process
    finally:
        process.stop()


def _start(command: Command, output: int) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(
            command.arguments,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is for the benchmark, which stops its servers
            env=dict(os.environ) | command.environment,  # noqa: TID251 - for the child
        )
    except OSError as error:
        raise ServerFailed(
            f"{command.name} is not installed ({error.filename}: {error.strerror}). Run "
            "`make peers`, or exclude it with --without."
        ) from None


def _title(process: psutil.Process) -> str:
    return " ".join((process.name(), *process.cmdline()))

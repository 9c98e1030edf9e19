"""Servers as processes: started, watched, measured, ended. Only those started here are touched."""

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

from benchmarks.figures import Usage

START_SECONDS: Final = 300
STOP_SECONDS: Final = 60
KEYS: Final = ("bench-alice", "bench-bob", "bench-carol", "bench-dave")  # of servers/keys.yaml
ENGINE_TITLE: Final = "VLLM::"  # vLLM's EngineCore and its workers


class ServerFailed(Exception):
    """A server did not start, or died; the message says which, and where its log is."""


@dataclass(frozen=True, slots=True)
class Command:
    """How a server is started and asked; `behind` serves what this one passes on.

    One that `says` something when all of it is up is not asked before.
    """

    name: str
    arguments: tuple[str, ...]
    url: str
    model: str
    environment: dict[str, str] = field(default_factory=dict)
    behind: "Process | None" = None
    says: str = ""


class Process:
    """A running server with all processes below it."""

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
        """The process that was started; others are below it."""
        return self._popen.pid

    @property
    def url(self) -> str:
        """Where it answers, such as http://127.0.0.1:8000/v1."""
        return self.command.url

    def check(self, doing: str) -> None:
        """Raise ServerFailed if it is gone."""
        code = self._popen.poll()
        if code is not None:
            raise ServerFailed(
                f"{self.name} ended with code {code} {doing}. Its log, {self.log}, closes with:\n"
                f"{self._tail()}"
            )

    def usage(self) -> Usage:
        """Sum up what its processes used until now, with those of the server behind it."""
        behind = self.command.behind
        found = behind.usage() if behind is not None else Usage(0, 0, 0)
        cpu, outside, memory = found.cpu, found.outside, found.memory
        for process in self._tree():
            with contextlib.suppress(psutil.NoSuchProcess):  # it ended meanwhile
                times = process.cpu_times()
                used = times.user + times.system
                cpu += used
                outside += 0 if ENGINE_TITLE in _title(process) else used
                memory += process.memory_full_info().pss / 2**20
        return Usage(cpu, outside, memory)

    def await_ready(self) -> None:
        """Wait for its first answer; raises ServerFailed if it ends before or takes too long."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            self.check("before it was ready")
            with contextlib.suppress(httpx.HTTPError):
                if self._answers():
                    return
            time.sleep(0.2)
        raise ServerFailed(
            f"{self.name} was not ready after {START_SECONDS} s. Its log, {self.log}, closes "
            f"with:\n{self._tail()}"
        )

    def _answers(self) -> bool:
        if self.command.says not in self.log.read_text("utf-8", "replace"):
            return False
        message = {"role": "user", "content": "Hello."}
        request = {"model": self.command.model, "messages": [message], "max_tokens": 2}
        url, headers = f"{self.url}/chat/completions", {"authorization": f"Bearer {KEYS[0]}"}
        streamed = request | {"stream": True}
        return httpx.post(url, json=streamed, headers=headers, timeout=60).status_code == 200

    def stop(self) -> None:
        """End it, and whatever of its processes is left after a while."""
        tree = self._tree()
        with contextlib.suppress(ProcessLookupError):
            self._popen.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(STOP_SECONDS)
        _, left = psutil.wait_procs(tree, timeout=5)
        for process in left:
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
    """Start a server, wait until it is ready, and end it with the block."""
    if command.behind is not None:
        command.behind.check(f"before {command.name} could use it")
    log = Path(tempfile.gettempdir()) / f"bench-{command.name.replace(' ', '-')}.log"
    with log.open("wb") as output:
        popen = _started(command, output.fileno())
    process = Process(command, popen, log)
    try:
        process.await_ready()
        yield process
    finally:
        process.stop()


def _started(command: Command, output: int) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(
            command.arguments,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is the benchmark's, which then ends them in order
            env=dict(os.environ) | command.environment,  # noqa: TID251 - the children's
        )
    except OSError as error:
        raise ServerFailed(
            f"{command.name} is not installed ({error.filename}: {error.strerror}). Run "
            "`make peers`, or leave it out with --without."
        ) from None


def _title(process: psutil.Process) -> str:
    return " ".join((process.name(), *process.cmdline()))

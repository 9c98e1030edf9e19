"""The stand-in providers, for as long as tests need them."""

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE

import pytest

ROOT = Path(__file__).parents[3]


def skip_without_terraform() -> None:
    """Skip, and say so, where there is no terraform."""
    if shutil.which("terraform") is None:
        pytest.skip("terraform is not installed")


def skip_without_providers() -> None:
    """Skip, and name what the stand-in providers miss."""
    skip_without_terraform()
    for name in ("grpc", "msgpack", "tf"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed: the stand-in providers need it")


@contextmanager
def served_providers() -> Iterator[dict[str, str]]:
    """Serve them from a process of their own; gives the environment for Terraform."""
    command = [sys.executable, "-m", "tests.deploy.schema_server"]
    with subprocess.Popen(command, cwd=ROOT, stdin=PIPE, stdout=PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield json.loads(server.stdout.readline())
        finally:
            server.communicate()

"""The stand-in providers in a process of their own."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE

ROOT = Path(__file__).parents[3]


@contextmanager
def served_providers() -> Iterator[dict[str, str]]:
    """Serve the providers; yields the environment for Terraform."""
    command = [sys.executable, "-m", "tests.deploy.schema_server"]
    with subprocess.Popen(command, cwd=ROOT, stdin=PIPE, stdout=PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield json.loads(server.stdout.readline())
        finally:
            server.communicate()

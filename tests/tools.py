"""Programs that tests run and that a machine may lack.

`python -m tests.tools` prints the Debian packages of those that this machine lacks.
"""

import os
import shutil
import sys
from pathlib import Path
from typing import Final, NoReturn

import pytest

DEBIAN_PACKAGES: Final = {
    "aardvark-dns": "aardvark-dns",
    "buildah": "buildah",
    "caddy": "caddy",
    "catatonit": "catatonit",
    "chromium": "chromium",
    "curl": "curl",
    "debootstrap": "debootstrap",
    "git": "git",
    "netavark": "netavark",
    "nginx": "nginx-light",
    "node": "nodejs",
    "npm": "npm",
    "podman": "podman",
    "promtool": "prometheus",
    "redis-server": "redis-server",
    "runc": "runc",
}
# Debian keeps servers and podman's helpers out of a user's PATH; pip's tools are beside Python.
_FOLDERS: Final = os.pathsep.join(
    (os.environ["PATH"], "/usr/sbin", "/usr/lib/podman", str(Path(sys.executable).parent))
)


def find_tool(name: str) -> str | None:
    """Return the path of a program, or None where it is not installed."""
    return shutil.which(name, path=_FOLDERS)


def require_tool(name: str, *others: str) -> str:
    """Return the path of a program, or of one that does the same; skip or fail the test without it.

    Under REQUIRE_TOOLS=1 only a program that Debian does not package is skipped.
    """
    path = next(filter(None, map(find_tool, (name, *others))), None)
    if path is not None:
        return path
    if name in DEBIAN_PACKAGES:
        unavailable(f"{name} is not installed: it is in Debian's package {DEBIAN_PACKAGES[name]}")
    pytest.skip(f"{name} is not installed")


def unavailable(reason: str) -> NoReturn:
    """Skip the test, or fail it under REQUIRE_TOOLS=1, where everything is to be installed."""
    if os.environ.get("REQUIRE_TOOLS") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


if __name__ == "__main__":
    print(*(package for name, package in DEBIAN_PACKAGES.items() if find_tool(name) is None))  # noqa: T201

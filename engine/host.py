"""`Host`: what this machine tells of itself, read from files and from installed packages."""

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path


def installed_version(distribution: str) -> str | None:
    """Return the version of an installed distribution, None where it is not installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


@dataclass(frozen=True, slots=True)
class Host:
    """A machine. Its files are below `root`; modules and versions are those of this Python."""

    root: Path = Path("/")
    find_module: Callable[[str], object | None] = find_spec
    installed_version: Callable[[str], str | None] = installed_version

    def has_module(self, name: str) -> bool:
        """Return whether a module can be imported, without importing it."""
        try:
            return self.find_module(name) is not None
        except ModuleNotFoundError:  # the package above it is missing
            return False

    def available_memory_gib(self) -> float | None:
        """Return the memory that can be allocated, in GiB; None where there is no /proc/meminfo."""
        file = self.root / "proc/meminfo"
        text = file.read_text("ascii") if file.is_file() else ""
        found = re.search(r"^MemAvailable:\s+(\d+) kB", text, re.MULTILINE)
        return int(found[1]) / 2**20 if found else None

    def free_disk_gib(self, folder: Path) -> float:
        """Return the free space in GiB where a folder is, or will be made."""
        while not folder.exists():
            folder = folder.parent
        return shutil.disk_usage(folder).free / 2**30

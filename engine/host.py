"""`Host`: what this machine tells of itself, read from files and from installed packages."""

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Final


def installed_version(distribution: str) -> str | None:
    """Return the version of an installed distribution, None where it is not installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


# Of control groups of version 2, and of those of version 1 with a controller: the mounted tree and
# the file of a group's limit.
_LIMITS: Final = {
    "": ("sys/fs/cgroup", "memory.max"),
    "memory": ("sys/fs/cgroup/memory", "memory.limit_in_bytes"),
}


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
        """Return the memory that can be allocated, in GiB: the machine's, or a lower limit.

        None where there is no /proc/meminfo.
        """
        found = re.search(r"^MemAvailable:\s+(\d+) kB", self._text("proc/meminfo"), re.MULTILINE)
        if found is None:
            return None
        free, limit = int(found[1]) / 2**20, self.memory_limit_gib()
        return free if limit is None else min(free, limit)

    def memory_limit_gib(self) -> float | None:
        """Return the lowest limit of the control groups of this process, such as a pod's, in GiB.

        None where there is none. Both versions of control groups are read.
        """
        limits = [self._text(file).strip() for file in self._limit_files()]
        return min((int(limit) / 2**30 for limit in limits if limit.isdigit()), default=None)

    def _limit_files(self) -> Iterator[str]:
        """Yield the files of limits of this process's groups and of those above them.

        In a container its own group is the root of the mounted tree, whatever the path says.
        """
        for controllers, path in (("", "/"), ("memory", "/"), *self._groups()):
            mount, name = _LIMITS[controllers]
            for group in (path, *PurePosixPath(path).parents):
                yield f"{mount}{group}/{name}"

    def _groups(self) -> Iterator[tuple[str, str]]:
        """Yield the control groups of this process that can limit its memory, with their paths."""
        lines = re.findall(r"^\d+:(.*?):(/.*)$", self._text("proc/self/cgroup"), re.MULTILINE)
        for controllers, path in lines:
            if not controllers or "memory" in controllers.split(","):
                yield ("memory" if controllers else "", path)

    def _text(self, file: str) -> str:
        """Return the text of a file below `root`, empty where it does not exist."""
        path = self.root / file
        return path.read_text("ascii") if path.is_file() else ""

    def free_disk_gib(self, folder: Path) -> float:
        """Return the free space in GiB where a folder is, or will be made."""
        while not folder.exists():
            folder = folder.parent
        return shutil.disk_usage(folder).free / 2**30

"""What a node shows of its Neuron devices: the driver, the tools, who holds the devices."""

import glob
import shutil
from dataclasses import dataclass
from pathlib import Path

CORES_PER_DEVICE = 2
_TOOLS = "opt/aws/neuron/bin"


def devices() -> list[str]:
    """Name the device files; asked for in the plugin's way, so that both see the same."""
    return sorted(glob.glob("/dev/neuron*"))  # noqa: PTH207


@dataclass(frozen=True, slots=True)
class Node:
    """A machine, whose files are below `root`."""

    root: Path = Path("/")

    def devices(self) -> list[str]:
        """Name the device files."""
        if self.root == Path("/"):
            return devices()
        return sorted(f"/dev/{file.name}" for file in self.root.glob("dev/neuron*"))

    def driver(self) -> str | None:
        """Give the version of the loaded kernel module."""
        file = self.root / "sys/module/neuron/version"
        return file.read_text("ascii").strip() if file.is_file() else None

    def tools(self) -> Path | None:
        """Find neuron-ls."""
        here = self.root / _TOOLS / "neuron-ls"
        found = shutil.which("neuron-ls")
        return here if here.is_file() else Path(found) if found else None

    def holders(self) -> dict[str, set[int]]:
        """Give the processes that have each device file open; those of others need root to see."""
        found: dict[str, set[int]] = {}
        for link in self.root.glob("proc/[0-9]*/fd/*"):
            try:
                target = str(link.readlink())
            except OSError:  # closed or gone meanwhile, or not ours to see
                continue
            if target.startswith("/dev/neuron"):
                found.setdefault(target, set()).add(int(link.parts[-3]))
        return found

    def memory_gib(self) -> float | None:
        """Give the free memory of the host in GiB."""
        file = self.root / "proc/meminfo"
        lines = file.read_text("ascii").splitlines() if file.is_file() else []
        kib = [int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
        return kib[0] / 2**20 if kib else None

    def disk_gib(self, folder: Path) -> float:
        """Give the free space in GiB where a folder is, or will be."""
        while not folder.exists():
            folder = folder.parent
        return shutil.disk_usage(folder).free / 2**30

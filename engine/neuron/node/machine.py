"""What a host shows of its Neuron devices, and the processes that have them open."""

import glob
import shutil
from pathlib import Path

from engine.host import Host

CORES_PER_DEVICE = 2
_COUNTERS = (
    "sys/devices/virtual/neuron_device/neuron*/neuron_core*/stats/memory_usage/device_mem/[tp]*"
)


def devices(host: Host) -> list[str]:
    """Return the device files, such as `/dev/neuron0`, found in the plugin's way: both see them."""
    found = glob.glob(str(host.root / "dev/neuron*"))  # noqa: PTH207
    return sorted(f"/dev/{Path(file).name}" for file in found)


def driver(host: Host) -> str | None:
    """Return the version of the loaded kernel module."""
    file = host.root / "sys/module/neuron/version"
    return file.read_text("ascii").strip() if file.is_file() else None


def tools(host: Host) -> Path | None:
    """Return where neuron-ls is."""
    packaged = host.root / "opt/aws/neuron/bin/neuron-ls"
    on_path = shutil.which("neuron-ls")
    return packaged if packaged.is_file() else Path(on_path) if on_path else None


def holders(host: Host) -> dict[str, set[int]]:
    """Return the ids of processes by the device file that they have open.

    Only root sees those of other users.
    """
    found: dict[str, set[int]] = {}
    for link in host.root.glob("proc/[0-9]*/fd/*"):
        try:
            target = str(link.readlink())
        except OSError:  # closed meanwhile, or of another user
            continue
        if target.startswith("/dev/neuron"):
            found.setdefault(target, set()).add(int(link.parts[-3]))
    return found


def device_memory(host: Host) -> dict[str, dict[str, int]]:
    """Return the driver's counters of device memory by core, such as `neuron0/neuron_core1`.

    Each core has `total`, `present` and `peak`, in bytes. AWS's pages differ in what the first two
    count, so they are passed on as they are. Drivers from 2.31 on have them elsewhere.
    """
    found: dict[str, dict[str, int]] = {}
    for file in sorted(host.root.glob(_COUNTERS)):
        text = file.read_text("ascii").strip() if file.is_file() else ""
        if text.isdigit():
            found.setdefault("/".join(file.parts[-6:-4]), {})[file.name] = int(text)
    return found

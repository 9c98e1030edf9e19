"""`examine`: what keeps a node from running an engine, each with a fix."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from engine.models.shape import ModelShape
from engine.neuron.device import Neuron
from engine.neuron.node.machine import CORES_PER_DEVICE, Node
from engine.neuron.packages import problem, versions

State = Literal["ok", "look", "bad"]
# The compiler's own working set: 16 GiB were seen not to do for 8B, whose weights are 15.
COMPILER_GIB: Final = 8
NEFFS_GIB: Final = 4  # of all graphs of a model, beside its sharded weights
UNKNOWN_WEIGHTS_GIB: Final = 15  # those of an 8B model


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, what was seen, and how to mend it; `fix` is empty if ok."""

    what: str
    state: State
    seen: str
    fix: str = ""


def examine(device: Neuron, shape: ModelShape | None, node: Node) -> Iterator[Finding]:
    """Look at a node with the eyes of the engine that is to run there."""
    yield _driver(device, node)
    yield _tools(node)
    yield _devices(device, node)
    yield _holders(node)
    yield _packages(device)
    weights = shape.weight_bytes / 2**30 if shape is not None else UNKNOWN_WEIGHTS_GIB
    yield _disk(device, node, weights + NEFFS_GIB)
    yield _memory(node, weights + COMPILER_GIB)


def _driver(device: Neuron, node: Node) -> Finding:
    wanted, seen = device.line.driver, node.driver()
    fix = f"Use a node image with aws-neuronx-dkms {wanted} or newer (AL2023 Neuron)."
    if seen is None:
        return Finding("driver", "bad", "the kernel module neuron is not loaded", fix)
    if _numbers(seen) < _numbers(wanted):
        return Finding("driver", "bad", f"{seen}, older than {wanted}", fix)
    return Finding("driver", "ok", seen)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part.isdigit()]


def _tools(node: Node) -> Finding:
    found = node.tools()
    if found is None:
        fix = "Install aws-neuronx-tools; without it Ray does not find the neuron_cores by itself."
        return Finding("tools", "look", "neuron-ls is not there", fix)
    return Finding("tools", "ok", str(found))


def _devices(device: Neuron, node: Node) -> Finding:
    there = node.devices()
    cores, wanted = CORES_PER_DEVICE * len(there), device.visible_cores[-1] + 1
    seen = f"{len(there)} /dev/neuron*, {cores} cores"
    if cores < wanted:
        fix = f"The config wants {wanted} cores. Give the pod aws.amazon.com/neuron, or the node."
        return Finding("devices", "bad", seen, fix)
    return Finding("devices", "ok", seen)


def _holders(node: Node) -> Finding:
    holders = node.holders()
    if not holders:
        return Finding("cores free", "ok", "no process has a device open")
    pairs = [f"{name} by {', '.join(map(str, sorted(pids)))}" for name, pids in holders.items()]
    fix = "End these processes, or give the replica other cores (device.cores)."
    return Finding("cores free", "look", "; ".join(sorted(pairs)), fix)


def _packages(device: Neuron) -> Finding:
    found = versions(device.line)
    seen = ", ".join(f"{name} {version or 'none'}" for name, version in found.items())
    if wrong := problem(device.line):
        return Finding("packages", "bad", seen, wrong)
    other = [
        f"{name} {wanted}"
        for name, wanted in device.line.packages.items()
        if (found[name] or "").partition("+")[0] != wanted
    ]
    if other:
        fix = f"The table of SDK {device.line.sdk} has {', '.join(other)}."
        return Finding("packages", "look", seen, fix)
    return Finding("packages", "ok", seen)


def _disk(device: Neuron, node: Node, wanted: float) -> Finding:
    folder = Path(device.artifacts).expanduser()
    free = node.disk_gib(folder)
    seen = f"{free:.0f} GiB free at {folder}"
    if free < wanted:
        fix = f"The artifacts take about {wanted:.0f} GiB. Free some, or move device.artifacts."
        return Finding("disk", "bad", seen, fix)
    return Finding("disk", "ok", seen)


def _memory(node: Node, wanted: float) -> Finding:
    free = node.memory_gib()
    if free is None:
        return Finding("memory", "look", "unknown: there is no /proc/meminfo", "Run it on Linux.")
    seen = f"{free:.0f} GiB free"
    if free < wanted:
        fix = f"A compile takes about {wanted:.0f} GiB. Compile on a larger instance."
        return Finding("memory", "bad", seen, fix)
    return Finding("memory", "ok", seen)

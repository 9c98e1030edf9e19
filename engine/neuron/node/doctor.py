"""`examine_node`: what keeps a node from running an engine, each with a fix."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from engine.device import Launch
from engine.host import Host
from engine.models.shape import ModelShape
from engine.neuron.catalogue import GIB
from engine.neuron.memory import Memory
from engine.neuron.node import machine
from engine.neuron.node.host_memory import LOAD_GIB, compile_gib
from engine.neuron.options import NeuronOptions
from engine.neuron.packages import other_packages, package_problem, package_versions, satisfies
from engine.report import Finding

NEFFS_GIB: Final = 4  # of all graphs of a model, beside its sharded weights
UNKNOWN_WEIGHTS: Final = 16 * 10**9  # bytes, those of an 8B model


def examine_node(
    device: NeuronOptions, launch: Launch, shape: ModelShape | None, host: Host, *, compiled: bool
) -> Iterator[Finding]:
    """Yield the state of everything on a host that an engine on this device needs.

    `compiled` is whether its artifacts are there, so that nothing is left to compile.
    """
    weights = shape.weight_bytes if shape is not None else UNKNOWN_WEIGHTS
    yield _driver(device, host)
    yield _tools(host)
    yield _devices(device, host)
    yield _holders(host)
    yield _packages(device, host)
    yield _disk(device, host, weights / GIB + NEFFS_GIB)
    yield _memory(host, weights, compiled=compiled)
    yield from _device_memory(device, launch, shape, host)


def _driver(device: NeuronOptions, host: Host) -> Finding:
    release, seen = device.release, machine.driver(host)
    fix = f"Use a node image with aws-neuronx-dkms {release.driver} or newer (AL2023 Neuron)."
    if seen is None:
        return Finding("driver", "error", "the kernel module neuron is not loaded", fix)
    if not satisfies(seen, f">={release.driver}"):
        return Finding("driver", "error", f"{seen}, older than {release.driver}", fix)
    if (below := release.driver_below) is not None and satisfies(seen, f">={below}"):
        fix = (
            f"AWS says that a driver from {below} on needs the runtime of SDK 2.31 or newer. That "
            f"of SDK {release.sdk} is older. If the start fails, use a node image of an earlier "
            "date, or device.plugin: 0.5.3 with its image."
        )
        return Finding("driver", "warning", f"{seen}, not below {below}", fix)
    return Finding("driver", "ok", seen)


def _tools(host: Host) -> Finding:
    found = machine.tools(host)
    if found is None:
        fix = "Install aws-neuronx-tools; without it Ray does not find the neuron_cores by itself."
        return Finding("tools", "warning", "neuron-ls is not installed", fix)
    return Finding("tools", "ok", str(found))


def _devices(device: NeuronOptions, host: Host) -> Finding:
    files = machine.devices(host)
    cores, wanted = machine.CORES_PER_DEVICE * len(files), device.visible_cores[-1] + 1
    seen = f"{len(files)} /dev/neuron*, {cores} cores"
    fix = f"The config wants {wanted} cores. Give the pod aws.amazon.com/neuron, or the node."
    return _enough("devices", seen, fix, enough=cores >= wanted)


def _holders(host: Host) -> Finding:
    holders = machine.holders(host)
    if not holders:
        return Finding("cores free", "ok", "no process has a device open")
    pairs = [f"{name} by {', '.join(map(str, sorted(pids)))}" for name, pids in holders.items()]
    fix = "End these processes, or give the replica other cores (device.cores)."
    return Finding("cores free", "warning", "; ".join(sorted(pairs)), fix)


def _packages(device: NeuronOptions, host: Host) -> Finding:
    release = device.release
    found = package_versions(release, host.installed_version)
    seen = ", ".join(f"{name} {version or 'none'}" for name, version in found.items())
    if problem := package_problem(release, found):
        return Finding("packages", "error", seen, problem)
    if other := other_packages(release, found):
        fix = f"Those of this line, SDK {release.sdk}, are {', '.join(other)}."
        return Finding("packages", "warning", seen, fix)
    return Finding("packages", "ok", seen)


def _disk(device: NeuronOptions, host: Host, wanted: float) -> Finding:
    folder = Path(device.artifacts).expanduser()
    free = host.free_disk_gib(folder)
    fix = f"The artifacts take about {wanted:.0f} GiB. Free some, or move device.artifacts."
    return _enough("disk", f"{free:.0f} GiB free at {folder}", fix, enough=free >= wanted)


def _memory(host: Host, weights: int, *, compiled: bool) -> Finding:
    free, limit = host.available_memory_gib(), host.memory_limit_gib()
    if free is None:
        return Finding("memory", "warning", "unknown: there is no /proc/meminfo", "Use Linux.")
    seen = f"{free:.0f} GiB free" + (", the limit of this container" if free == limit else "")
    if compiled:
        fix = f"A start from artifacts takes about {LOAD_GIB} GiB. Raise the pod's memory."
        return _enough("memory", seen, fix, enough=free >= LOAD_GIB)
    wanted = compile_gib(weights)
    fix = (
        f"A compile takes about {wanted:.0f} GiB. Raise the pod's memory, or compile on a larger "
        f"host and copy the artifacts: a start from them takes about {LOAD_GIB} GiB."
    )
    return _enough("memory", seen, fix, enough=free >= wanted)


def _device_memory(
    device: NeuronOptions, launch: Launch, shape: ModelShape | None, host: Host
) -> Iterator[Finding]:
    """Yield what the driver counts beside what was planned, where the driver counts."""
    counters = machine.device_memory(host)
    if not counters:
        return
    seen = "; ".join(
        f"{core} " + ", ".join(f"{name} {count / 1e9:.2f} GB" for name, count in by_name.items())
        for core, by_name in counters.items()
    )
    if shape is not None:
        cores = device.tensor_parallel_size
        memory = Memory.of(
            shape,
            cores=cores,
            slots=launch.max_num_seqs,
            length=launch.max_model_len,
            tuning=device.override_neuron_config,
        )
        seen += f"; planned {memory.total / cores / 1e9:.2f} GB a core, without graphs"
    yield Finding("device memory", "ok", seen)


def _enough(name: str, seen: str, fix: str, *, enough: bool) -> Finding:
    return Finding(name, "ok", seen) if enough else Finding(name, "error", seen, fix)

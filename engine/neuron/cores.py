"""NeuronCores: their ids as Ray and as the runtime write them, and the locks that hold them."""

import fcntl
import os
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

NEURON_CORES: Final = "neuron_cores"  # Ray's name of the resource
WAIT_SECONDS: Final = 30.0  # for a dying process that still holds its cores
_POLL_SECONDS: Final = 0.2
_FIRST_PORT: Final = 62_182  # of the collectives, as in plugin 0.5.0; the first core is added


class CoresUnusable(Exception):
    """These cores cannot be used; the message names the reason and the fix."""


def contiguous(ids: Iterable[int | str]) -> tuple[int, ...]:
    """Return core ids, which Ray gives in any order, sorted; raise CoresUnusable at a gap."""
    cores = sorted(int(core) for core in ids)
    if not cores:
        raise CoresUnusable("Ray gave this replica no neuron_cores. Give the node's cores to Ray.")
    if cores != list(range(cores[0], cores[0] + len(cores))):
        raise CoresUnusable(
            f"NeuronCores {cores} are not contiguous, which the runtime requires. "
            "Use one replica size per node, so that slices of cores stay aligned."
        )
    return tuple(cores)


def expand_ranges(visible: str) -> list[str]:
    """Return the ids of a NEURON_RT_VISIBLE_CORES; Ray would read a range `0-7` as one core."""
    ids: list[str] = []
    for part in visible.split(","):
        first, _, last = part.strip().partition("-")
        ids += map(str, range(int(first), int(last) + 1)) if last else [first] if first else []
    return ids


def runtime_environment(cores: Sequence[int]) -> dict[str, str]:
    """Return the Neuron runtime's variables; every engine of a node needs a port of its own."""
    first, last = cores[0], cores[-1]
    return {
        "NEURON_RT_VISIBLE_CORES": str(first) if first == last else f"{first}-{last}",
        "NEURON_RT_ROOT_COMM_ID": f"localhost:{_FIRST_PORT + first}",
    }


def claim(cores: Iterable[int], *, wait: float = WAIT_SECONDS, folder: Path | None = None) -> None:
    """Lock these cores until this process ends; raise CoresUnusable after `wait` seconds.

    The lock files stay open on purpose: the kernel releases the locks when the process is gone,
    however it ended.
    """
    folder = folder or Path(tempfile.gettempdir()) / "neuron-gateway-cores"
    folder.mkdir(mode=0o1777, exist_ok=True)
    deadline = time.monotonic() + wait
    for core in cores:
        _lock(folder / str(core), core, deadline)


def _lock(file: Path, core: int, deadline: float) -> None:
    handle = _open(file, core)
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        if time.monotonic() >= deadline:
            holder = os.pread(handle, 32, 0).decode("ascii", "replace").strip()
            os.close(handle)
            raise CoresUnusable(
                f"NeuronCore {core} is held by process {holder or 'unknown'}. "
                "End that process or give this replica other cores."
            )
        time.sleep(_POLL_SECONDS)
    os.ftruncate(handle, 0)
    os.pwrite(handle, str(os.getpid()).encode(), 0)


def _open(file: Path, core: int) -> int:
    """Open a lock file, without following a link that another user may have put there."""
    try:
        return os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        raise CoresUnusable(
            f"NeuronCore {core} cannot be locked: {file} cannot be opened ({error.strerror}). "
            "Remove that file."
        ) from None

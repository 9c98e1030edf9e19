"""What one gateway has of its machine for itself: its address, ports, and a folder of sockets."""

import atexit
import random
import shutil
import socket
import tempfile
from typing import Final

from gateway.config import ConfigError
from gateway.serving.ray_private import HAPROXY_FILES, PORTS, REPLICA_PORTS

# How the name of a gateway's folder begins; the sockets in it need a short path.
FOLDER: Final = "/tmp/gateway-"  # noqa: S108 - `mkdtemp` makes it
# Below the ephemeral ports, of which Ray's processes take many.
_BLOCK: Final = 200  # a port is used again only minutes after its replica ended
_BLOCKS: Final = range(20_000, 32_000, _BLOCK)


def hold(name: str) -> bool:
    """Return whether no other gateway of this machine holds a name; hold it until this one ends."""
    lock = socket.socket(socket.AF_UNIX)
    try:
        lock.bind(f"\0neuron-gateway {name}")  # an abstract address, no file
    except OSError:
        lock.close()
        return False
    lock.detach()  # without an object to close it, it is open as long as this process lives
    return True


def cannot_listen(host: str, port: int) -> str | None:
    """Return why nothing can listen at an address, None where something can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.strerror or str(error)
    return None


def host_environment() -> dict[str, str]:
    """Return the variables that name ports and files of Ray Serve which no other gateway uses.

    The folder is removed when this process ends.
    """
    first = _free_block()
    folder = tempfile.mkdtemp(prefix=FOLDER)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    ports = {name: first + index for index, name in enumerate(PORTS)}
    ports |= dict(zip(REPLICA_PORTS, (first + len(PORTS), first + _BLOCK - 1), strict=True))
    files = {name: f"{folder}/{file}".rstrip("/") for name, file in HAPROXY_FILES.items()}
    return files | {name: str(port) for name, port in ports.items()}


def _free_block() -> int:
    for first in random.sample(_BLOCKS, len(_BLOCKS)):
        ports = range(first, first + len(PORTS))
        if not any(cannot_listen("", port) for port in ports) and hold(f"ports {first}"):
            return first
    raise ConfigError(f"No block of {_BLOCK} ports from {_BLOCKS[0]} to {_BLOCKS[-1]} is free.")

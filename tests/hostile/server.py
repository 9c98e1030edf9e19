"""A gateway in a process of its own, on a simulated device."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml

from tests.serving import ROOT, STEADY, free_port


@contextlib.contextmanager
def serving(
    folder: Path,
    *,
    token_ms: float = 20,
    max_model_len: int = 20_000,
    device: dict[str, Any] | None = None,
    **parts: Any,
) -> Iterator[tuple[str, psutil.Process]]:
    """Serve until the block ends; yield the URL and the process. The model is named `sim`."""
    device = device or {**STEADY, "decode_base_ms": token_ms}
    engine = {"max_model_len": max_model_len, "max_num_seqs": 4, "device": device}
    args = {"models": [{"id": "sim", "engine": engine}]} | parts
    application = {"import_path": "gateway.serving.ray_app:build_app", "args": args}
    file, port = folder / "gateway.yaml", free_port()
    file.write_text(yaml.safe_dump({"applications": [application]}))
    command = [sys.executable, "-m", "gateway", "serve", str(file), "--without-ray"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--port", str(port)], cwd=ROOT, stdout=log, stderr=subprocess.STDOUT
        )
    url = f"http://127.0.0.1:{port}"
    try:
        while not _ready(url):
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.1)
        yield url, psutil.Process(process.pid)
        assert "Traceback" not in (folder / "log").read_text()
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        process.kill()
        process.wait()


def _ready(url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"{url}/readyz").status_code == 200
    return False

"""The log of a gateway that the command line started: JSON lines, one for each request."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import wait_until
from tests.serving import ROOT, free_port

CHAT = {"model": "sim", "messages": [{"role": "user", "content": "a secret"}], "max_tokens": 5}
FILE = """\
applications:
- import_path: gateway.serving.ray_app:build_app
  args: {models: [{id: sim, engine: {device: {kind: simulated, time_scale: 0}}}]}
"""


@pytest.fixture
def lines(tmp_path: Path) -> list[dict[str, Any]]:
    """Serve one request by the command, and return what it logged as JSON."""
    file, port, out = tmp_path / "gateway.yaml", free_port(), tmp_path / "out"
    file.write_text(FILE)
    command = [sys.executable, "-u", "-m", "gateway", "serve", str(file), "--without-ray"]
    with out.open("w") as log:
        process = subprocess.Popen([*command, "--port", str(port)], cwd=ROOT, stdout=log)
        try:
            wait_until(lambda: answers(port), 15)
            headers = {"x-request-id": "mine", "authorization": "Bearer a-key"}
            url = f"http://127.0.0.1:{port}/v1/chat/completions"
            httpx.post(url, json=CHAT | {"ignore_eos": True}, headers=headers)
        finally:
            process.terminate()
            process.wait(15)
    assert "secret" not in out.read_text()
    assert "a-key" not in out.read_text()
    return [json.loads(line) for line in out.read_text().splitlines() if line.startswith("{")]


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
    except httpx.HTTPError:
        return False


def test_a_request_is_one_line_with_its_figures(lines: list[dict[str, Any]]) -> None:
    (line,) = (line for line in lines if line.get("request_id") == "mine")
    assert line.items() >= {"model": "sim", "outcome": "ok", "status": 200, "key": ""}.items()
    assert line["output_tokens"] == 5
    assert line["time"] > 1.7e9

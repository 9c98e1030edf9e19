"""NGINX in front of the running gateway, with the settings of the component ingress-nginx."""

import contextlib
import itertools
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.conftest import running, simulated, wait_until
from tests.deploy.checks.manifests import DEPLOY
from tests.serving import free_port
from tests.tools import require_tool

pytestmark = [pytest.mark.deploy, pytest.mark.timeout(150)]

TOKEN_MS = 100
PREFIX = "nginx.ingress.kubernetes.io/"
# The directive that the ingress controller generates for an annotation.
DIRECTIVES = {
    "proxy-buffering": "proxy_buffering {};",
    "proxy-request-buffering": "proxy_request_buffering {};",
    "proxy-http-version": "proxy_http_version {};",
    "proxy-read-timeout": "proxy_read_timeout {}s;",
    "proxy-send-timeout": "proxy_send_timeout {}s;",
    "proxy-body-size": "client_max_body_size {};",
    "proxy-next-upstream": "proxy_next_upstream {};",
}
CONFIG = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass {upstream}; proxy_set_header Host $host; {directives} }}
  }}
}}
"""


def annotated() -> list[str]:
    """Return the directives of the component's annotations."""
    file = DEPLOY / "k8s" / "components" / "ingress-nginx" / "ingress.yaml"
    annotations = yaml.safe_load(file.read_text("utf-8"))["metadata"]["annotations"]
    return [
        DIRECTIVES[name.removeprefix(PREFIX)].format(value) for name, value in annotations.items()
    ]


@contextlib.contextmanager
def nginx(folder: Path, upstream: str, directives: list[str]) -> Iterator[str]:
    """Run NGINX in front of a gateway; yields its URL."""
    program = require_tool("nginx")
    port = free_port()
    text = CONFIG.format(
        folder=folder, port=port, upstream=upstream, directives=" ".join(directives)
    )
    (folder / "nginx.conf").write_text(text)
    process = subprocess.Popen([program, "-e", "stderr", "-c", str(folder / "nginx.conf")])
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: answers(url) or process.poll() is not None)
        assert process.poll() is None
        yield url
    finally:
        process.terminate()
        process.wait(10)


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def arrivals(url: str, **more: Any) -> list[float]:
    """Request a stream and return the arrival time of each delta with text."""
    body = {"model": "sim", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    body |= {"max_tokens": 10, "ignore_eos": True} | more
    with httpx.stream(
        "POST", f"{url}/v1/chat/completions", json=body, timeout=120,
        headers={"Accept-Encoding": "gzip"},
    ) as answer:  # fmt: skip
        assert answer.status_code == 200
        assert "content-encoding" not in answer.headers
        lines = ((line, time.monotonic()) for line in answer.iter_lines())
        frames = [(line[6:], at) for line, at in lines if line.startswith("data: ")]
    assert frames[-1][0] == "[DONE]"
    return [
        at for text, at in frames[:-1] if json.loads(text)["choices"][0]["delta"].get("content")
    ]


def steady(prefill_ms: float = 0) -> dict[str, Any]:
    return {
        "time_scale": 1, "prefill_base_ms": prefill_ms, "prefill_ms_per_token": 0,
        "decode_base_ms": TOKEN_MS, "decode_ms_per_slot": 0,
    }  # fmt: skip


@pytest.mark.parametrize("directives", [annotated(), []], ids=["the component", "NGINX's defaults"])
def test_tokens_arrive_one_by_one(tmp_path: Path, directives: list[str]) -> None:
    with running(simulated(steady())) as upstream, nginx(tmp_path, upstream, directives) as url:
        came = arrivals(url)
    assert len(came) == 10
    # Held back they would come at once; a gap of half a step says they do not.
    gaps = [after - before for before, after in itertools.pairwise(came)]
    assert sum(gap > TOKEN_MS / 2000 for gap in gaps) >= 8


def test_a_prefill_of_70_silent_seconds_survives_the_default_timeout_of_60(tmp_path: Path) -> None:
    with running(simulated(steady(70_000))) as upstream, nginx(tmp_path, upstream, []) as url:
        begun = time.monotonic()
        came = arrivals(url, max_tokens=2)
    assert len(came) == 2
    assert came[0] - begun > 69


def test_a_body_beyond_the_gateways_limit_ends_at_nginx(tmp_path: Path) -> None:
    with running(simulated()) as upstream, nginx(tmp_path, upstream, annotated()) as url:
        answer = httpx.post(f"{url}/v1/chat/completions", content=b"x" * (5 * 2**20), timeout=20)
    assert answer.status_code == 413

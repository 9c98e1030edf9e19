"""Figures on Ray's metrics port: the gateway's of every replica, and vLLM's own."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.observe.metrics import METRICS, PREFIX
from tests.serving import ROOT, Gateway, ask, served, until

pytestmark = [
    pytest.mark.ray,
    pytest.mark.timeout(400),
    pytest.mark.filterwarnings("default"),  # Ray's and vLLM's own
]

SIMULATED = {"kind": "simulated", "time_scale": 0}
# Where Ray shows the figures of this machine.
PORT = """
import ray
ray.init(address="auto", log_to_driver=False)
print(ray.nodes()[0]["MetricsExportPort"])
"""


def metrics_url(gateway: Gateway) -> str:
    return f"http://127.0.0.1:{gateway.run_driver(PORT).split()[-1]}/metrics"


def shown(url: str) -> set[str]:
    """Name what is shown, without Ray's own prefix and a sample's suffix."""
    lines = httpx.get(url, timeout=20).text.splitlines()
    names = {line.split()[2] for line in lines if line.startswith("# TYPE")}
    return {name.removeprefix("ray_") for name in names}


def config(topology: str, device: dict[str, Any], **engine: Any) -> dict[str, Any]:
    model = {"id": "sim", "engine": {"max_num_seqs": 4, "device": device} | engine}
    return {"models": [model], "topology": topology, "proxy": "python"}


@pytest.mark.parametrize("topology", ["one-hop", "two-hops"])
def test_the_gateways_figures_are_on_rays_port(tmp_path: Path, topology: str) -> None:
    # Those that are counted here; the others need a client that leaves or a replica that dies.
    never = {"aborts_total", "retries_total", "resumes_total"}
    wanted = {PREFIX + metric.name for metric in METRICS if metric.name not in never}
    with served(tmp_path, config(topology, SIMULATED)) as gateway:
        # A field that nobody knows, so that the metric of these is counted too.
        httpx.request(**ask(gateway.url, max_tokens=20, ignore_eos=True, trace_id="x"))
        url = metrics_url(gateway)
        until(lambda: not missing(wanted, url), 60)


def missing(wanted: set[str], url: str) -> set[str]:
    seen = shown(url)
    return {name for name in wanted if not {name, name.removesuffix("_total")} & seen}


@pytest.mark.vllm
def test_vllms_own_figures_are_beside_them(tmp_path: Path) -> None:
    device = {"kind": "cpu", "kv_cache_gib": 0.5}
    with served(tmp_path, config("one-hop", device), start_seconds=240) as gateway:
        httpx.request(**ask(gateway.url, max_tokens=5), timeout=60)
        url = metrics_url(gateway)
        until(lambda: not missing(of_the_engines_dashboard(), url), 60)


def of_the_engines_dashboard() -> set[str]:
    board = (ROOT / "deploy" / "monitoring" / "dashboards" / "engine.json").read_text()
    names = set(re.findall(r"ray_(vllm_\w+)", board))
    assert len(names) > 10
    # Ray shows a counter from its first count on; these two have none here.
    never = {"vllm_num_preemptions_total", "vllm_prefix_cache_hits_total"}
    return {name.removesuffix("_bucket") for name in names} - never


@pytest.mark.parametrize("topology", ["one-hop", "two-hops"])
def test_a_request_is_a_line_in_its_workers_log(tmp_path: Path, topology: str) -> None:
    def lines(gateway: Gateway) -> list[str]:
        files = gateway.ray_logs.glob("worker-*.out")
        written = (file.read_text(errors="replace") for file in files)
        return [line for text in written for line in text.splitlines() if "mine-7" in line]

    with served(tmp_path, config(topology, SIMULATED)) as gateway:
        request = ask(gateway.url, "a secret", max_tokens=20, ignore_eos=True)
        httpx.request(**request, headers={"x-request-id": "mine-7"})
        until(lambda: lines(gateway), 20)
        (line,) = lines(gateway)
    said = json.loads(line)
    assert said.items() >= {"model": "sim", "outcome": "ok", "output_tokens": 20}.items()
    assert "secret" not in line

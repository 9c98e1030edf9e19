"""deploy/compose: Compose's own schema, devices, stops, ports, mounted files, and a real Caddy."""

import itertools
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from engine.neuron import INSTANCES
from tests.conftest import running, simulated, wait_until
from tests.deploy.checks.manifests import CORES_PER_DEVICE, DEPLOY
from tests.deploy.test_nginx import TOKEN_MS, answers, arrivals, steady
from tests.serving import free_port
from tests.tools import find_tool, require_tool

pytestmark = [pytest.mark.deploy, pytest.mark.timeout(120)]

COMPOSE = DEPLOY / "compose"
SCHEMA = json.loads((Path(__file__).parent / "schemas" / "compose-spec.json").read_text("utf-8"))
FILES = sorted(path.name for path in COMPOSE.glob("*.yaml") if path.name != "prometheus.yaml")
SIZES = {
    "inf2.8xlarge": ("inf2.yaml",),
    "inf2.24xlarge": ("inf2.yaml", "inf2-24xlarge.yaml"),
    "inf2.48xlarge": ("inf2.yaml", "inf2-48xlarge.yaml"),
}


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((COMPOSE / name).read_text("utf-8"))
    return found


def all_services() -> Iterator[tuple[str, dict[str, Any]]]:
    for file in FILES:
        yield from read(file)["services"].items()


def seconds(text: str) -> int:
    return int(text.removesuffix("s"))


@pytest.mark.parametrize("file", FILES)
def test_a_file_is_of_the_compose_specification(file: str) -> None:
    jsonschema.Draft7Validator(SCHEMA).validate(read(file))


@pytest.mark.parametrize("instance", SIZES)
@pytest.mark.parametrize("service", ["gateway", "precompile"])
def test_a_size_has_all_devices_of_its_instance_and_its_config(instance: str, service: str) -> None:
    parts = [read(file)["services"][service] for file in SIZES[instance]]
    devices = [device for part in parts for device in part["devices"]]
    count = INSTANCES[instance].cores // CORES_PER_DEVICE
    assert devices == [f"/dev/neuron{n}:/dev/neuron{n}" for n in range(count)]
    config = parts[-1]["environment"]["NEURON_GATEWAY_CONFIG"]
    file = DEPLOY / "serve" / config.removeprefix("/opt/neuron-gateway/serve/")
    assert f"instance: {instance}\n" in file.read_text("utf-8")


def test_a_stop_waits_longer_than_the_longest_request() -> None:
    grace = seconds(read("gateway.yaml")["services"]["gateway"]["stop_grace_period"])
    configs = (DEPLOY / "serve").glob("*.yaml")
    found = [re.search(r"max_request_seconds: (\d+)", each.read_text("utf-8")) for each in configs]
    assert grace >= max(int(each[1]) for each in found if each) + 30
    unit = (COMPOSE / "neuron-gateway.service").read_text("utf-8")
    limit = re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert limit
    assert int(limit[1]) > grace


def test_only_caddy_can_be_reached_from_other_machines() -> None:
    published = {name: each.get("ports", []) for name, each in all_services()}
    assert published.pop("caddy") == ["80:80", "443:443"]
    ports = [port for each in published.values() for port in each]
    assert ports
    assert all(port.startswith(("127.0.0.1:", "${BIND:-127.0.0.1}:")) for port in ports)


def test_our_containers_have_no_capabilities_and_cannot_gain_any() -> None:
    own = [each for name, each in all_services() if name in ("gateway", "webui", "keys")]
    for each in (one for one in own if "extends" not in one and "devices" not in one):
        assert each["cap_drop"] == ["ALL"]
        assert each["security_opt"] == ["no-new-privileges:true"]
    assert not any(each.get("privileged") for _, each in all_services())


def test_every_mounted_file_exists() -> None:
    for _, service in all_services():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert not source.startswith(".") or (COMPOSE / source).exists(), volume


def test_the_readme_names_every_file() -> None:
    text = (COMPOSE / "README.md").read_text("utf-8")
    parts = ("gateway.yaml", "services.yaml")  # of the others
    assert [file for file in FILES if file not in text and file not in parts] == []


def test_the_unit_is_valid() -> None:
    tool = find_tool("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is not installed")
    command = [tool, "verify", str(COMPOSE / "neuron-gateway.service")]
    done = subprocess.run(command, capture_output=True, text=True)
    others = ("docker.service not found", "/usr/bin/docker is not executable", "man:")
    lines = [line for line in done.stderr.splitlines() if line.startswith("neuron-gateway.service")]
    lines += [line for line in done.stderr.splitlines() if "neuron-gateway.service:" in line]
    assert [line for line in lines if not any(text in line for text in others)] == []


def test_prometheus_reads_its_config_and_our_alerts(tmp_path: Path) -> None:
    shutil.copy(COMPOSE / "prometheus.yaml", tmp_path)
    shutil.copy(DEPLOY / "monitoring" / "alerts.yaml", tmp_path)
    command = [require_tool("promtool"), "check", "config", str(tmp_path / "prometheus.yaml")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def caddy(folder: Path, gateway: str) -> Iterator[str]:
    """Run the real Caddy with our file, its upstream at another address; yield its URL."""
    url = f"http://127.0.0.1:{free_port()}"
    text = (COMPOSE / "Caddyfile").read_text("utf-8")
    assert "reverse_proxy gateway:8000" in text
    (folder / "Caddyfile").write_text(
        "{\n\tadmin off\n}\n" + text.replace("gateway:8000", gateway.removeprefix("http://"))
    )
    command = [require_tool("caddy"), "run", "--adapter", "caddyfile"]
    environment = {"DOMAIN": url, "HOME": str(folder), "PATH": "/usr/bin:/bin"}
    process = subprocess.Popen(
        [*command, "--config", "Caddyfile"], cwd=folder, env=environment, stderr=subprocess.DEVNULL
    )
    try:
        yield url
    finally:
        process.terminate()
        process.wait(30)


def test_caddy_passes_each_token_on_at_once(tmp_path: Path) -> None:
    with running(simulated(steady())) as gateway, caddy(tmp_path, gateway) as url:
        wait_until(lambda: answers(url), 30)
        came = arrivals(url)
    gaps = [after - before for before, after in itertools.pairwise(came)]
    assert sum(gap > TOKEN_MS / 2000 for gap in gaps) >= 8

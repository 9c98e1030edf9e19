"""The Dockerfiles and the shell scripts in the images."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from engine.neuron import expand_ranges
from tests.deploy.checks.manifests import DEPLOY

pytestmark = [pytest.mark.deploy, pytest.mark.timeout(60)]

DOCKERFILES = sorted((DEPLOY / "docker").glob("*.Dockerfile"))
ENVIRONMENT = DEPLOY / "docker" / "environment.sh"


def in_bash(code: str, **environment: str) -> str:
    """Run code as KubeRay does, in a bash that reads BASH_ENV."""
    given = {"PATH": "/usr/bin:/bin", "BASH_ENV": str(ENVIRONMENT)} | environment
    done = subprocess.run(
        ["bash", "-c", "--", code], env=given, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.stem)
def test_hadolint_finds_nothing(file: Path) -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("hadolint")), str(file)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.stem)
def test_an_image_has_an_unprivileged_user_and_a_health_check(file: Path) -> None:
    text = file.read_text("utf-8")
    assert re.findall(r"^USER (\S+)", text, re.MULTILINE)[-1] == "10001"
    assert "\nHEALTHCHECK " in text
    assert all(f"org.opencontainers.image.{name}" in text for name in ("title", "version"))


@pytest.mark.parametrize("visible", ["0-3", "4-7", "0-1,4-5", "2,4-5", "0,1", "7", "0-23"])
def test_a_range_of_cores_is_expanded_for_ray(visible: str) -> None:
    seen = in_bash('echo "$NEURON_RT_VISIBLE_CORES"', NEURON_RT_VISIBLE_CORES=visible)
    assert seen == ",".join(expand_ranges(visible))


def test_without_cores_the_variable_is_not_set() -> None:
    assert in_bash('echo "${NEURON_RT_VISIBLE_CORES-none}"') == "none"


def test_the_environment_is_on_the_path_of_every_shell() -> None:
    assert in_bash("echo $PATH") == "/opt/venv/bin:/usr/bin:/bin"
    assert in_bash("bash -c 'echo $PATH'") == "/opt/venv/bin:/usr/bin:/bin"


@pytest.mark.parametrize("name", ["gateway", "neuron"])
def test_an_image_of_ray_has_what_kuberay_and_the_manifests_call(name: str) -> None:
    text = (DEPLOY / "docker" / f"{name}.Dockerfile").read_text("utf-8")
    installed = re.findall(r"apt-get install .*?no-install-recommends (.*?)\\$", text, re.MULTILINE)
    assert {"bash", "ca-certificates", "grep", "procps", "wget"} <= set(installed[-1].split())
    assert "COPY deploy/docker/environment.sh /etc/profile.d/neuron-gateway.sh\n" in text
    assert "COPY deploy/docker/drain.sh /opt/neuron-gateway/drain.sh\n" in text
    assert "COPY deploy/serve /opt/neuron-gateway/serve\n" in text
    assert "neuron-gateway-haproxy" in text
    assert "/opt/neuron-gateway/haproxy" in text
    assert "BASH_ENV=/etc/profile.d/neuron-gateway.sh" in text


def drained(folder: Path, *, replica: str, seconds: str) -> list[str]:
    """Run drain.sh with recorders in place of `ray` and `pgrep`; return their calls in order."""
    calls = folder / "calls"
    for tool in ("ray", "pgrep"):
        script = folder / tool
        script.write_text(
            f'#!/bin/bash\necho "{tool} $*" >> "{calls}"\n' + replica * (tool == "pgrep")
        )
        script.chmod(0o755)
    command = ["bash", str(DEPLOY / "docker" / "drain.sh"), seconds]
    environment = {"PATH": f"{folder}:/usr/bin:/bin"}
    subprocess.run(command, env=environment, check=True, timeout=30)
    return [line.split(" --deadline")[0] for line in calls.read_text().splitlines()]


def test_a_drain_waits_for_the_replicas_and_stops_ray_last(tmp_path: Path) -> None:
    gone = f'[ "$(grep -c pgrep "{tmp_path}/calls")" -lt 3 ]\n'
    calls = drained(tmp_path, replica=gone, seconds="600")
    reason = "ray drain-node --reason DRAIN_NODE_REASON_PREEMPTION"
    assert calls[0].startswith(reason)
    assert calls[1:] == ["pgrep -f ^ray::ServeReplica"] * 3 + ["ray stop"]


def test_a_drain_stops_ray_when_its_time_is_over(tmp_path: Path) -> None:
    calls = drained(tmp_path, replica="true\n", seconds="2")
    assert calls[-1] == "ray stop"
    assert len(calls) >= 4


def test_every_path_that_a_dockerfile_copies_is_in_its_context() -> None:
    ignored = (DEPLOY.parent / ".dockerignore").read_text("utf-8")
    admitted = set(re.findall(r"^!(\S+)$", ignored, re.MULTILINE))
    for file in DOCKERFILES:
        for line in re.findall(r"^COPY (?!--from)(.*)$", file.read_text("utf-8"), re.MULTILINE):
            sources = line.split()[:-1]
            assert set(sources) <= admitted
            assert all((DEPLOY.parent / source).exists() for source in sources)

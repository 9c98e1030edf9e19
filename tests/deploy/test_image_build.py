"""build.sh: what CodeBuild runs, with recorders in place of docker and aws."""

import subprocess
from pathlib import Path

import pytest

from tests.deploy.checks.manifests import DEPLOY
from tests.deploy.test_versions import pins

pytestmark = [pytest.mark.deploy, pytest.mark.timeout(60)]

ALL = ["neuron", "gateway", "webui"]


def built(folder: Path, status: int = 0, failing: str = "nothing", **environment: str) -> list[str]:
    """Run the script; return the calls of docker and aws in order."""
    calls = folder / "calls"
    for tool in ("docker", "aws"):
        fails = f'[[ "$*" != *{failing}* ]]'
        (folder / tool).write_text(f'#!/bin/bash\necho "{tool} $*" >> "{calls}"\n{fails}\n')
        (folder / tool).chmod(0o755)
    given = {"PATH": f"{folder}:/usr/bin:/bin", "REGISTRY": "r.example/g", "TAG": "7"} | environment
    done = subprocess.run(["bash", str(DEPLOY / "docker" / "build.sh")], env=given)
    assert done.returncode == status
    return calls.read_text("utf-8").splitlines() if calls.exists() else []


def pushed(calls: list[str]) -> list[str]:
    return [call for call in calls if call.startswith("docker push")]


def test_all_images_are_built_before_one_is_pushed(tmp_path: Path) -> None:
    calls = built(tmp_path)
    assert [call.split()[1] for call in calls] == ["build"] * 3 + ["push"] * 3
    assert pushed(calls) == [f"docker push r.example/g/{name}:7" for name in ALL]
    assert all("--platform linux/amd64" in call for call in calls[:3])
    assert "VERSION=7" in calls[0]


def test_another_line_of_the_plugin_has_another_base_image(tmp_path: Path) -> None:
    assert "NEURON_IMAGE" not in " ".join(built(tmp_path))
    calls = built(tmp_path, NEURON_IMAGE=pins()["NEURON_IMAGE_0_5_3"])
    assert "--build-arg NEURON_IMAGE -f deploy/docker/neuron.Dockerfile" in calls[6]


@pytest.mark.parametrize("failing", ["webui.Dockerfile", "docker:r.example", "spdx.json"])
def test_nothing_is_pushed_where_a_step_fails(tmp_path: Path, failing: str) -> None:
    assert pushed(built(tmp_path, 1, failing, SBOM="s3://models/sbom")) == []


def test_the_contents_of_each_image_are_stored_in_s3(tmp_path: Path) -> None:
    calls = built(tmp_path, SBOM="s3://models/sbom")
    scans = [call for call in calls if call.startswith("docker run")]
    assert [call.partition(pins()["SYFT_IMAGE"])[2].split()[0] for call in scans] == [
        f"docker:r.example/g/{name}:7" for name in ALL
    ]
    stored = {call for call in calls if call.startswith("aws s3 cp - ")}
    assert stored == {f"aws s3 cp - s3://models/sbom/7/{name}.spdx.json" for name in ALL}


def test_without_a_tag_it_says_what_is_missing(tmp_path: Path) -> None:
    assert built(tmp_path, 1, TAG="") == []

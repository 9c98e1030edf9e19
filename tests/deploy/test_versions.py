"""`deploy/versions.env` has every version; nothing else says another."""

import re
import tomllib
from pathlib import Path

import pytest

from engine import Neuron
from engine.neuron import PLUGIN_RELEASES
from tests.deploy.checks.manifests import (
    DEPLOY,
    OVERLAYS,
    ROOT,
    documents,
    of_kind,
    overlay,
    pins,
    pods,
    rendered,
)

pytestmark = [pytest.mark.deploy, pytest.mark.timeout(60)]

OWN = "registry.example/neuron-gateway/"
DOCKERFILES = sorted((DEPLOY / "docker").glob("*.Dockerfile"))


def images(folder: str) -> set[str]:
    found = pods(documents(rendered(folder)))
    return {container["image"] for pod in found for container in pod.containers}


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_images_of_an_overlay_are_those_of_the_file(name: str) -> None:
    own = {image for image in images(f"k8s/overlays/{name}") if image.startswith(OWN)}
    assert {image.rpartition(":")[2].removesuffix("-cpu") for image in own} == {pins()["GATEWAY"]}
    assert images(f"k8s/overlays/{name}") - own <= set(pins().values())


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(path, id=str(path.relative_to(DEPLOY)))
        for path in sorted(DEPLOY.rglob("*.yaml"))
        if "image:" in path.read_text("utf-8")
    ],
)
def test_every_image_in_a_file_is_pinned_there(text: Path) -> None:
    found = re.findall(r"^\s*(?:- )?image: *(\S+)", text.read_text("utf-8"), re.MULTILINE)
    own = {image for image in found if re.match(r"\$\{\w+:-neuron-gateway/", image)}
    assert {image.rstrip("}").rpartition(":")[2].removesuffix("-cpu") for image in own} <= {
        pins()["GATEWAY"]
    }
    others = {image for image in found if not image.startswith(OWN)} - own
    assert others <= set(pins().values())


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.stem)
def test_a_dockerfiles_arguments_are_those_of_the_file(file: Path) -> None:
    arguments = dict(re.findall(r"^ARG (\w+)=(\S+)$", file.read_text("utf-8"), re.MULTILINE))
    known = {"PYTHON_IMAGE", "NEURON_IMAGE", "UV"}
    assert {k: v for k, v in arguments.items() if k in known} == {
        k: pins()[k] for k in known & arguments.keys()
    }
    assert arguments["VERSION"] == pins()["GATEWAY"]


def test_one_ray_everywhere() -> None:
    (service,) = of_kind(overlay("inf2-8xlarge"), "RayService")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert service["spec"]["rayClusterConfig"]["rayVersion"] == pins()["RAY"]
    assert project["optional-dependencies"]["serve"] == [f"ray[serve]=={pins()['RAY']}"]
    assert project["version"] == pins()["GATEWAY"]


def neuron_image(plugin: str) -> str:
    default = Neuron.model_fields["plugin"].default
    return pins()["NEURON_IMAGE" + ("" if plugin == default else f"_{plugin.replace('.', '_')}")]


@pytest.mark.parametrize("plugin", PLUGIN_RELEASES)
def test_one_python_in_the_head_and_the_neuron_image(plugin: str) -> None:
    major, minor = re.search(r"-py(\d)(\d+)-", neuron_image(plugin)).groups()  # type: ignore[union-attr]
    assert f"/python:{major}.{minor}." in pins()["PYTHON_IMAGE"]


@pytest.mark.parametrize("plugin", PLUGIN_RELEASES)
def test_the_neuron_image_is_the_line_that_the_engine_is_written_for(plugin: str) -> None:
    vllm, sdk = re.search(r":([\d.]+)-.*-sdk([\d.]+)-", neuron_image(plugin)).groups()  # type: ignore[union-attr]
    line = PLUGIN_RELEASES[plugin]
    assert (line.vllm, line.sdk) == (vllm, sdk)


def test_one_uv_everywhere() -> None:
    assert f"UV_VERSION := {pins()['UV']}\n" in (ROOT / "Makefile").read_text("utf-8")


def test_node_images_are_of_one_date() -> None:
    classes = of_kind(overlay("inf2-8xlarge"), "EC2NodeClass")
    aliases = {term["alias"] for each in classes for term in each["spec"]["amiSelectorTerms"]}
    assert aliases == {pins()["AMI_ALIAS"]}

"""images.sh: builds in AWS, and writes registry, tag and digests where manifests read them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy.checks import findings
from tests.deploy.checks.manifests import documents, pods, rendered
from tests.deploy.shims.answers import BUCKET, REGISTRY, Answer
from tests.deploy.shims.rehearsal import DEPLOY, Rehearsal, prepare
from tests.deploy.test_versions import pins
from tests.tools import require_tool

pytestmark = [
    pytest.mark.deploy,
    pytest.mark.timeout(120),
    pytest.mark.filterwarnings("ignore"),  # Ray's own
]

IMAGES = ("neuron", "gateway", "webui")
DIGEST = "sha256:" + "a" * 64
FOUND = Answer("aws ecr describe-images *", f"{DIGEST}\\n")
ABSENT = Answer("aws ecr describe-images *", "x (ImageNotFoundException)\\n", "254")
PROJECT = "neuron-gateway-images"
TERRAFORM = [
    Answer("terraform output -raw registry", REGISTRY),
    Answer("terraform output -raw model_store", BUCKET),
    Answer("terraform output -raw image_build", PROJECT),
]
BUILD = [
    Answer("aws s3 cp *"),
    Answer("aws codebuild start-build *", f"{PROJECT}:1\\n"),
    Answer("git rev-parse *", "/somewhere\\n"),
    Answer("git *"),
]
# What can be applied: the base is a part, and the image of kind's overlay is in no registry.
FOLDERS = {
    str(file.parent.relative_to(DEPLOY / "k8s"))
    for file in (DEPLOY / "k8s").rglob("kustomization.yaml")
    if "kind: Kustomization" in file.read_text("utf-8")
} - {"base", "overlays/cpu"}


def ended(state: str, often: str = "always") -> Answer:
    return Answer("aws codebuild batch-get-builds *", f"{state}\\n", often=often)


def prepared(folder: Path) -> Rehearsal:
    """Return a rehearsal in which Terraform has made everything, and ECR has the images."""
    rehearsal = prepare(folder)
    shutil.copytree(DEPLOY / "k8s", folder / "deploy" / "k8s")
    rehearsal.answers([FOUND], TERRAFORM, BUILD)
    rehearsal.environment["BUILD_PAUSE"] = "0"
    return rehearsal


@pytest.fixture
def rehearsal(tmp_path: Path) -> Rehearsal:
    return prepared(tmp_path)


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    """Return a rehearsal in which images.sh has run."""
    rehearsal = prepared(tmp_path_factory.mktemp("named"))
    done = rehearsal.run("images.sh", "--tag", "0.2.0-1")
    assert (done.status, done.err) == (0, "")
    return rehearsal


def component(rehearsal: Rehearsal) -> str:
    file = rehearsal.folder / "deploy" / "k8s" / "images" / "kustomization.yaml"
    return file.read_text("utf-8")


def rendered_in(rehearsal: Rehearsal, folder: str) -> str:
    """Return a kustomization as `kubectl apply -k` would apply it."""
    command = [require_tool("kubectl"), "kustomize", str(rehearsal.folder / "deploy/k8s" / folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def images(rehearsal: Rehearsal, folder: str) -> set[str]:
    found = pods(documents(rendered_in(rehearsal, folder)))
    return {container["image"] for pod in found for container in pod.containers}


@pytest.mark.parametrize("folder", sorted(FOLDERS))
def test_every_manifest_takes_registry_tag_and_digest_from_one_place(
    named: Rehearsal, folder: str
) -> None:
    ours = {f"{REGISTRY}/{name}:0.2.0-1@{DIGEST}" for name in IMAGES}
    assert images(named, folder) - ours <= set(pins().values())


def test_overlays_jobs_and_web_chat_have_the_images_of_this_project(named: Rehearsal) -> None:
    ours = {f"{REGISTRY}/{name}:0.2.0-1@{DIGEST}" for name in IMAGES}
    assert {image for folder in FOLDERS for image in images(named, folder)} >= ours


def test_an_overlay_with_digests_has_no_mistake(named: Rehearsal) -> None:
    found = documents(rendered_in(named, "overlays/inf2-8xlarge"))
    assert findings([*found, *documents(rendered("karpenter"))]) == []


def test_the_tag_is_the_version_by_default(rehearsal: Rehearsal) -> None:
    rehearsal.run("images.sh")
    assert component(rehearsal).count(f'newTag: "{pins()["GATEWAY"]}"') == len(IMAGES)
    (call,) = {call.partition(" --repository-name")[0] for call in rehearsal.calls("aws ecr")}
    assert call.endswith(" --region us-west-2 --registry-id 123456789012")


def test_another_registry_needs_neither_aws_nor_terraform(rehearsal: Rehearsal) -> None:
    rehearsal.without("aws")
    rehearsal.without("terraform")
    done = rehearsal.run("images.sh", "--registry", "ghcr.io/me/", "--tag", "9")
    assert done.status == 0, done.err
    assert images(rehearsal, "webui") == {"ghcr.io/me/webui:9"}


def test_a_second_run_changes_only_the_lines_of_these_images(rehearsal: Rehearsal) -> None:
    file = rehearsal.folder / "deploy" / "k8s" / "images" / "kustomization.yaml"
    mirror = "- {name: public.ecr.aws/aws-cli/aws-cli, newName: mirror.example/aws-cli}\n"
    file.write_text(component(rehearsal).replace("images:\n", f"images:\n{mirror}"))
    rehearsal.run("images.sh")
    once = component(rehearsal)
    rehearsal.run("images.sh")
    assert component(rehearsal) == once
    assert "mirror.example/aws-cli:2.31.0" in images(rehearsal, "jobs/model-sync")


def test_an_image_that_is_missing_leaves_the_file_as_it_was(rehearsal: Rehearsal) -> None:
    before = component(rehearsal)
    rehearsal.but(Answer("aws ecr describe-images */webui *", ABSENT.text, ABSENT.status))
    done = rehearsal.run("images.sh")
    assert done.status == 24
    missing = f"{REGISTRY} has no webui:{pins()['GATEWAY']}"
    assert done.errors == [f"Error: {missing}: push it, or build all three with --build."]
    assert component(rehearsal) == before


def test_a_build_packs_the_commit_waits_and_writes_the_digests(rehearsal: Rehearsal) -> None:
    rehearsal.but(
        Answer("aws ecr describe-images *", ABSENT.text, ABSENT.status, often="3"),
        ended("IN_PROGRESS", often="2"),
        ended("SUCCEEDED"),
    )
    done = rehearsal.run("images.sh", "--build", "--tag", "7", "--ref", "v0.2.0")
    assert (done.status, done.err) == (0, "")
    source = f"{BUCKET}/builds/7.zip"
    (archive,) = rehearsal.calls("git -C")
    assert archive.endswith(" v0.2.0")
    assert rehearsal.calls("aws s3 cp")[0].endswith(f" s3://{source}")
    (start,) = rehearsal.calls("aws codebuild start-build")
    assert f"--project-name {PROJECT} --source-location-override {source}" in start
    assert "--environment-variables-override name=TAG,value=7 --query " in start
    assert len(rehearsal.calls("aws codebuild batch-get-builds")) == 3
    assert component(rehearsal).count(DIGEST) == len(IMAGES)


def test_a_build_for_another_line_of_the_plugin_has_its_base_image(rehearsal: Rehearsal) -> None:
    rehearsal.but(ABSENT, ended("FAILED"))
    rehearsal.run("images.sh", "--build", NEURON_IMAGE="public.example/neuron:1")
    (start,) = rehearsal.calls("aws codebuild start-build")
    assert " name=NEURON_IMAGE,value=public.example/neuron:1 " in start


def test_a_tag_that_exists_is_refused_before_the_build(rehearsal: Rehearsal) -> None:
    done = rehearsal.run("images.sh", "--build", "--tag", "7")
    assert done.status == 25
    assert "choose another with --tag, such as 7-1" in done.errors[0]
    assert not rehearsal.calls("aws codebuild", "aws s3")


def test_a_build_that_fails_writes_nothing_and_names_its_log(rehearsal: Rehearsal) -> None:
    before = component(rehearsal)
    rehearsal.but(ABSENT, ended("FAILED"))
    done = rehearsal.run("images.sh", "--build")
    assert done.status == 26
    assert "ended as FAILED" in done.errors[0]
    assert f"aws logs tail /aws/codebuild/{PROJECT} " in done.out
    assert component(rehearsal) == before


def test_changes_that_are_not_committed_are_not_built_in_silence(rehearsal: Rehearsal) -> None:
    rehearsal.but(
        Answer("aws ecr describe-images *", ABSENT.text, ABSENT.status, often="3"),
        Answer("git status *", " M gateway/config.py\\n"),
        ended("SUCCEEDED"),
    )
    done = rehearsal.run("images.sh", "--build")
    assert done.err == "Warning: Changes that are not committed are not built.\n"


NO_OUTPUT = Answer("terraform output *", "not found\\n", "1")


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["--tags", "1"], 2, "There is no argument --tags."),
        (["--tag"], 2, "--tag wants a value."),
        (["--tag", "a b"], 2, "--tag a b is no tag of an image"),
        (["--registry", "https://ghcr.io/me"], 2, "no scheme, as in ghcr.io/me"),
        (["--registry", "ghcr.io/me", "--build"], 2, "leave --registry out"),
        ([], 18, "run install.sh first, or give --registry."),
    ],
)
def test_bad_input_ends_in_a_sentence(
    rehearsal: Rehearsal, arguments: list[str], status: int, sentence: str
) -> None:
    rehearsal.but(NO_OUTPUT)
    done = rehearsal.run("images.sh", *arguments)
    (error,) = done.errors
    assert done.status == status
    assert sentence in error


def test_a_build_without_its_project_names_the_variable(rehearsal: Rehearsal) -> None:
    rehearsal.but(Answer("terraform output -raw image_build", "not found\\n", "1"))
    done = rehearsal.run("images.sh", "--build")
    assert done.status == 18
    assert "set enable_image_build = true in blueprint.tfvars" in done.errors[0]

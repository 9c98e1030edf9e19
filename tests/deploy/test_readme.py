"""deploy/README.md: what it names is there, and what is there is named."""

import re
from pathlib import Path

import pytest

from tests.deploy.checks.manifests import DEPLOY, OVERLAYS, ROOT
from tests.deploy.test_mutations import MUTATIONS

pytestmark = pytest.mark.deploy

TEXT = (DEPLOY / "README.md").read_text("utf-8")
TROUBLES = TEXT.partition("## When it does not work")[2].partition("\n## ")[0]
ROWS = [row.strip("|").split("|") for row in TROUBLES.splitlines() if row.startswith("| ")][1:]


def there(name: str) -> bool:
    """Whether a mutation, or a test file by its path or its bare name, is called so."""
    if name in {mutation.__name__ for mutation in MUTATIONS}:
        return True
    if name.endswith("…"):
        return any(mutation.__name__.startswith(name[:-1]) for mutation in MUTATIONS)
    places = (ROOT / name, DEPLOY / "monitoring" / name, ROOT / "tests" / "deploy" / f"{name}.py")
    return any(place.exists() for place in places)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].strip()[:40])
def test_a_trouble_has_a_guard_and_something_that_shows_it(row: list[str]) -> None:
    *_, guard, shown = row
    assert guard.strip()
    names = re.findall(r"`([^`]+)`", shown)
    assert all(map(there, names))
    assert names or re.search(r"not without|the build itself", shown)


def test_all_known_troubles_are_told() -> None:
    assert len(ROWS) >= 26


@pytest.mark.parametrize("path", sorted(set(re.findall(r"deploy/[\w./-]+\w", TEXT))))
def test_a_path_in_the_journey_is_there(path: str) -> None:
    assert (ROOT / path).exists()


def test_every_overlay_and_component_is_told() -> None:
    components = [folder.name for folder in (DEPLOY / "k8s" / "components").iterdir()]
    assert [name for name in (*OVERLAYS, *components) if f"`{name}`" not in TEXT] == []


def test_every_command_of_the_journey_is_a_program_that_step_0_names() -> None:
    blocks = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    words = {
        line.split()[0] for block in blocks for line in block.splitlines() if line[:1].isalpha()
    }
    needed = {"aws", "kubectl", "docker", "helm", "curl", "kind"}
    shell = {"cd", "cp", "read", "export", "for", "do", "done", "sed", "run", "until"}
    assert {word for word in words if "=" not in word and "(" not in word} <= needed | shell
    assert Path(DEPLOY / "terraform" / "install.sh").stat().st_mode & 0o111

"""deploy/README.md: every name in it exists, and every overlay and component is in it."""

import re
from pathlib import Path

import pytest

from tests.deploy.checks.manifests import DEPLOY, OVERLAYS, ROOT
from tests.deploy.test_mutations import MUTATIONS

pytestmark = pytest.mark.deploy

TEXT = (DEPLOY / "README.md").read_text("utf-8")
TABLE = TEXT.partition("## Troubleshooting")[2].partition("\n## ")[0]
ROWS = [row.strip("|").split("|") for row in TABLE.splitlines() if row.startswith("| ")][1:]


def exists(name: str) -> bool:
    """Return whether there is a mutation, a path or a test file with this name."""
    if name in {mutation.__name__ for mutation in MUTATIONS}:
        return True
    if name.endswith("…"):
        return any(mutation.__name__.startswith(name[:-1]) for mutation in MUTATIONS)
    paths = (ROOT / name, DEPLOY / "monitoring" / name, ROOT / "tests" / "deploy" / f"{name}.py")
    return any(path.exists() for path in paths)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].strip()[:40])
def test_a_symptom_has_a_prevention_and_a_test(row: list[str]) -> None:
    *_, prevention, shown = row
    assert prevention.strip()
    names = re.findall(r"`([^`]+)`", shown)
    assert all(map(exists, names))
    assert names or re.search(r"not without|the build itself", shown)


def test_the_table_of_symptoms_is_complete() -> None:
    assert len(ROWS) >= 26


@pytest.mark.parametrize("path", sorted(set(re.findall(r"deploy/[\w./-]+\w", TEXT))))
def test_every_path_exists(path: str) -> None:
    assert (ROOT / path).exists()


def test_every_overlay_and_component_is_described() -> None:
    components = [folder.name for folder in (DEPLOY / "k8s" / "components").iterdir()]
    assert [name for name in (*OVERLAYS, *components) if f"`{name}`" not in TEXT] == []


def test_every_command_is_a_required_program() -> None:
    blocks = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    commands = {
        line.split()[0] for block in blocks for line in block.splitlines() if line[:1].isalpha()
    }
    needed = {"aws", "kubectl", "docker", "helm", "curl", "kind"}
    shell = {"cd", "cp", "printf", "read", "export", "for", "do", "done", "sed", "run", "until"}
    assert {name for name in commands if "=" not in name and "(" not in name} <= needed | shell
    assert Path(DEPLOY / "terraform" / "install.sh").stat().st_mode & 0o111

"""Overlays with components added."""

import re
import shutil
import subprocess
from pathlib import Path

import yaml

from tests.deploy.checks.manifests import DEPLOY
from tests.tools import require_tool


def with_components(
    folder: Path, overlay: str, components: list[str], *, placeholders: bool = False
) -> str:
    """Render an overlay with more components, in a copy of deploy/k8s.

    With `placeholders` each variable of a component's .env file is its own name: HOST=HOST.
    """
    copy = folder / "k8s"
    shutil.copytree(DEPLOY / "k8s", copy, dirs_exist_ok=True)
    for file in copy.glob("components/*/*.env") if placeholders else ():
        file.write_text(re.sub(r"^(\w+)=.*", r"\1=\1", file.read_text("utf-8"), flags=re.M))
    file = copy / "overlays" / overlay / "kustomization.yaml"
    kustomization = yaml.safe_load(file.read_text("utf-8"))
    listed = kustomization.setdefault("components", [])
    listed += [f"../../components/{name}" for name in components]
    file.write_text(yaml.safe_dump(kustomization), "utf-8")
    command = [require_tool("kubectl"), "kustomize", str(file.parent)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout

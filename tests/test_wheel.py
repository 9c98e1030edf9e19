"""The wheel has the files that the packages read, beside their modules."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("clients", "deploy", "engine", "gateway")
IGNORED = shutil.ignore_patterns("__pycache__", "node_modules", "*.egg-info")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Return the names of all files in a wheel that is built from a copy of the packages."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=IGNORED)
    build = "from setuptools import build_meta; print(build_meta.build_wheel('.'))"
    command = [sys.executable, "-W", "ignore", "-c", build]
    output = subprocess.run(command, cwd=source, check=True, capture_output=True, text=True)
    return set(zipfile.ZipFile(source / output.stdout.split()[-1]).namelist())


@pytest.mark.parametrize("pattern", ["engine/**/*.yaml", "gateway/**/*.html", "engine/**/*.py"])
def test_every_file_of_the_packages_is_in_the_wheel(wheel: set[str], pattern: str) -> None:
    files = {str(file.relative_to(ROOT)) for file in ROOT.glob(pattern)}
    assert files
    assert files <= wheel

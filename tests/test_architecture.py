"""The shape of the code: sizes, docstrings, imports, and the README's length."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Scripts that run in environments of their own, and no packages.
SCRIPTS = (ROOT / "benchmarks" / "peers", ROOT / "clients" / "examples")
FILES = sorted(
    path
    for package in ("benchmarks", "clients", "engine", "gateway")
    for path in (ROOT / package).rglob("*.py")
    if path.parent not in SCRIPTS
)
FOLDERS = sorted({path.parent for path in FILES})


def name_of(path: Path) -> str:
    """Return the dotted name of a module, of a package for its `__init__.py`."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {name_of(path): path for path in FILES}


def imported(path: Path) -> Iterator[str]:
    """Yield our modules that a file names in imports, those under TYPE_CHECKING included."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module in MODULES:
            names = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (name if name in MODULES else node.module for name in names)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_file_is_over_300_lines_and_no_function_over_60(path: Path) -> None:
    source = path.read_text("utf-8")
    assert source.count("\n") <= 300
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < 60, node.name


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_a_package_is_described_and_has_at_most_14_modules(folder: Path) -> None:
    docstring = ast.get_docstring(ast.parse((folder / "__init__.py").read_text("utf-8")))
    assert docstring is not None
    assert len(docstring) > 40
    assert len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) <= 14


def test_imports_have_no_cycle() -> None:
    graph = {name: set(imported(path)) - {name} for name, path in MODULES.items()}
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the modules


@pytest.mark.parametrize(
    "module",
    [
        "engine, deploy.planner, engine.neuron, engine.simulated",
        "engine.simulated.engine",
        "gateway.api.app",
        "gateway.commands.main",
    ],
)
def test_the_base_install_is_enough_to_import(module: str) -> None:
    heavy = "{'ray', 'vllm', 'torch', 'transformers', 'jinja2', 'openai'} & set(sys.modules)"
    code = f"import sys, {module}; print(sorted({heavy}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_the_readme_is_short() -> None:
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    assert len(lines) <= 180
    text = [re.sub(r"\]\([^)]*\)", "]", line) for line in lines if not line.startswith("|")]
    assert [line for line in text if len(line) > 200] == []

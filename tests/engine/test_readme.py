"""The engine's READMEs: tables of keys are those of the code, and the example runs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel

from engine import Cpu, EngineOptions, Neuron, Simulated
from tests.engine.config_table import markdown

ENGINE = Path(__file__).parents[2] / "engine"


@pytest.mark.parametrize(
    ("readme", "model"),
    [
        ("README.md", EngineOptions),
        ("README.md", Cpu),
        ("README.md", Simulated),
        ("neuron/README.md", Neuron),
    ],
)
def test_a_readme_has_the_keys_of_the_code(readme: str, model: type[BaseModel]) -> None:
    assert markdown(model) in (ENGINE / readme).read_text("utf-8")


def test_the_example_prints_a_completion() -> None:
    (code,) = re.findall(
        r"```python\n(.*?)```", (ENGINE / "README.md").read_text("utf-8"), re.DOTALL
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == 8

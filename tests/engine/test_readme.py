"""The example in the engine's README runs as it is written."""

import re
import subprocess
import sys
from pathlib import Path

ENGINE = Path(__file__).parents[2] / "engine"


def test_the_example_prints_a_completion() -> None:
    (code,) = re.findall(
        r"```python\n(.*?)```", (ENGINE / "README.md").read_text("utf-8"), re.DOTALL
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == 8

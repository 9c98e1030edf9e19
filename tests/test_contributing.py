"""The worked examples of CONTRIBUTING.md, run as they are written there."""

import re
import types
from pathlib import Path
from typing import Any

TEXT = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text("utf-8")


def example(title: str) -> Any:
    """Run the code of one example as a module."""
    section = TEXT.partition(f"### {title}\n")[2].partition("\n### ")[0]
    code = re.findall(r"```python\n(.*?)```", section, re.DOTALL)[0]
    module = types.ModuleType(title)
    exec(compile(code, title, "exec"), module.__dict__)
    return module

"""Which file has which generated part."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.generated import tables
from tests.generated.configuration import with_reference

ROOT: Final = Path(__file__).parents[2]
TABLES: Final[dict[str, tuple[Callable[[], str], ...]]] = {
    "engine/README.md": (tables.profiles,),
    "engine/neuron/README.md": (tables.capabilities,),
    "deploy/planner/README.md": (tables.published,),
    "deploy/monitoring/metrics.md": (tables.metrics, tables.outcomes),
}


def documents() -> dict[Path, str]:
    """Return each file with its generated parts renewed."""
    configuration = ROOT / "gateway" / "README.md"
    text = with_table(configuration.read_text("utf-8"), tables.tool_formats())
    found = {configuration: with_reference(text)}
    for name, makers in TABLES.items():
        text = (ROOT / name).read_text("utf-8")
        for make in makers:
            text = with_table(text, make())
        found[ROOT / name] = text
    return found


def with_table(text: str, table: str) -> str:
    """Return a text with the table that has the same head replaced; raise ValueError for none."""
    head = table.partition("\n")[0]
    lines = text.split("\n")
    start = lines.index(head)
    end = start
    while end < len(lines) and lines[end].startswith("|"):
        end += 1
    return "\n".join([*lines[:start], *table.split("\n"), *lines[end:]])

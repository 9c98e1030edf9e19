"""What a device reports to the command line: tables and findings, without any formatting."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of texts; each row has one cell for each column."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One property of a machine: its state, what was seen, and the fix, empty where it is ok."""

    name: str
    state: State
    seen: str
    fix: str = ""

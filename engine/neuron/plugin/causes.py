"""Why an engine died: messages of the runtime and the compiler, each with a fix."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from engine.data import read_data

Action = Literal["retry", "replace_node", "reduce", "rebuild", "reconfigure"]


@dataclass(frozen=True, slots=True)
class Cause:
    """A pattern in the engine's log, its meaning as a sentence, and what to do."""

    name: str
    pattern: str
    sentence: str
    action: Action

    def __str__(self) -> str:
        return f"{self.sentence} [{self.name}: {self.action}]"


CAUSES: Final = read_data("neuron/plugin/causes.yaml", list[Cause])


def cause_of(lines: Iterable[str]) -> Cause | None:
    """Return the first cause of the table whose pattern is in these lines of the engine's log."""
    text = "\n".join(lines)
    return next((cause for cause in CAUSES if re.search(cause.pattern, text)), None)

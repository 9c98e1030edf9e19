"""What a model's text turns out to be: `ContentDelta`, `ReasoningDelta` and `ToolCallDelta` deltas."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ContentDelta:
    """A piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """A piece of the thought before the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of a call's arguments; its first delta alone has the `id` and the `name`."""

    index: int
    id: str | None
    name: str | None
    arguments: str


MessageDelta = ContentDelta | ReasoningDelta | ToolCallDelta


class Parser(Protocol):
    """Turns text, as it comes, into parts; joined, they do not depend on where it was cut."""

    def feed(self, text: str) -> list[MessageDelta]:
        """Take more text and give the parts that are certain by now."""

    def finish(self) -> list[MessageDelta]:
        """End the text and give the parts that were held back."""


def merged(parts: Iterable[MessageDelta]) -> list[MessageDelta]:
    """Join neighbours of one kind, the deltas of one call among them."""
    runs = (list(run) for _, run in groupby(parts, _kind))
    return [run[0] if len(run) == 1 else _joined(run) for run in runs]


def _kind(part: MessageDelta) -> tuple[type[MessageDelta], int]:
    return type(part), part.index if isinstance(part, ToolCallDelta) else 0


def _joined(run: Sequence[MessageDelta]) -> MessageDelta:
    first = run[0]
    if isinstance(first, ToolCallDelta):
        arguments = "".join(part.arguments for part in run if isinstance(part, ToolCallDelta))
        return ToolCallDelta(first.index, first.id, first.name, arguments)
    return type(first)("".join(part.text for part in run if not isinstance(part, ToolCallDelta)))

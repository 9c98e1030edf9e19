"""What a model's text turns out to be: `Content`, `Reasoning` and `ToolCall` deltas."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Content:
    """A piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Reasoning:
    """A piece of the thought before the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A piece of a call's arguments; its first delta alone has the `id` and the `name`."""

    index: int
    id: str | None
    name: str | None
    arguments: str


Part = Content | Reasoning | ToolCall


class Parser(Protocol):
    """Turns text, as it comes, into parts; joined, they do not depend on where it was cut."""

    def feed(self, text: str) -> list[Part]:
        """Take more text and give the parts that are certain by now."""

    def finish(self) -> list[Part]:
        """End the text and give the parts that were held back."""


def merged(parts: Iterable[Part]) -> list[Part]:
    """Join neighbours of one kind, the deltas of one call among them."""
    runs = (list(run) for _, run in groupby(parts, _kind))
    return [run[0] if len(run) == 1 else _joined(run) for run in runs]


def _kind(part: Part) -> tuple[type[Part], int]:
    return type(part), part.index if isinstance(part, ToolCall) else 0


def _joined(run: Sequence[Part]) -> Part:
    first = run[0]
    if isinstance(first, ToolCall):
        arguments = "".join(part.arguments for part in run if isinstance(part, ToolCall))
        return ToolCall(first.index, first.id, first.name, arguments)
    return type(first)("".join(part.text for part in run if not isinstance(part, ToolCall)))

"""What a model's text contains: `ContentDelta`, `ReasoningDelta` and `ToolCallDelta`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True, slots=True)
class ContentDelta:
    """A piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """A piece of the reasoning before the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of a call's arguments; its first delta alone has the `id` and the `name`.

    Of a `custom` tool the arguments are its input, a plain text.
    """

    index: int
    id: str | None
    name: str | None
    arguments: str
    custom: bool = False


MessageDelta = ContentDelta | ReasoningDelta | ToolCallDelta


def join_deltas(deltas: Iterable[MessageDelta]) -> list[MessageDelta]:
    """Join neighbours of one kind, the deltas of one call among them."""
    runs = (list(run) for _, run in groupby(deltas, lambda d: (type(d), getattr(d, "index", 0))))
    return [run[0] if len(run) == 1 else _joined(run) for run in runs]


def _joined(run: Sequence[MessageDelta]) -> MessageDelta:
    first = run[0]
    if isinstance(first, ToolCallDelta):
        arguments = "".join(delta.arguments for delta in run if isinstance(delta, ToolCallDelta))
        return ToolCallDelta(first.index, first.id, first.name, arguments, first.custom)
    return type(first)("".join(delta.text for delta in run if not isinstance(delta, ToolCallDelta)))

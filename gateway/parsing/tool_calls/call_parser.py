"""`CallParser`: the parser of content and tool calls, by the grammar of a model family."""

import secrets
from collections.abc import Callable, Mapping
from typing import Any

from gateway.parsing.deltas import ToolCallDelta
from gateway.parsing.incremental_text import IncrementalText, Scanner
from gateway.parsing.parser import TextParser


def new_id() -> str:
    """Return a new call id."""
    return f"call_{secrets.token_hex(12)}"


class CallParser(TextParser):
    """Collects content and calls; those beyond `limit` and white space next to one are left out.

    `tools` has the schema of each function's arguments.
    """

    def __init__(
        self,
        grammar: "Grammar",
        tools: Mapping[str, Mapping[str, Any]],
        limit: int | None = None,
        make_id: Callable[[], str] = new_id,
    ) -> None:
        self.names = tools.keys()
        self.schemas = tools
        self._limit = limit
        self._make_id = make_id
        self._calls = 0
        super().__init__(grammar(IncrementalText(), self))

    def begin(self, name: str) -> None:
        """Begin the next call."""
        self._space, self._keeps_last_space = "", False
        self._calls += 1
        self._add(self._make_id(), name, "")

    def arguments(self, text: str) -> None:
        """Add to the arguments of the call that was begun last."""
        self._add(None, None, text)

    def _add(self, id_: str | None, name: str | None, arguments: str) -> None:
        if self._limit is None or self._calls <= self._limit:
            self._parts.append(ToolCallDelta(self._calls - 1, id_, name, arguments))


Grammar = Callable[[IncrementalText, CallParser], Scanner[None]]

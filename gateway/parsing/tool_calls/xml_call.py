"""The incremental scanner of calls written as XML elements, as Qwen3-Coder does."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.tool_formats import Qwen3Coder
from gateway.parsing.incremental_text import Emit, IncrementalText, Scanner
from gateway.parsing.tool_calls.argument_types import argument_types, declared_arguments, typed_json
from gateway.parsing.tool_calls.call_parser import CallParser

OPENS = (Qwen3Coder.BEGIN, Qwen3Coder.FUNCTION)
ENDS = (Qwen3Coder.END_FUNCTION, Qwen3Coder.END)
AFTER_VALUE = (Qwen3Coder.PARAMETER, *ENDS)
IN_VALUE = (Qwen3Coder.END_PARAMETER, *AFTER_VALUE)
NAME_ENDS = ">\r\n"
STRING = frozenset({"string"})


def scan_function(source: IncrementalText, calls: CallParser) -> Scanner[str]:
    """Read `NAME>`, the parameters and the ends; return the next call's marker, "" for none."""
    name = (yield from source.word(NAME_ENDS)).strip()
    if name not in calls.names or not (yield from source.accept(">")):
        return ""
    marker = ""
    if (yield from source.space()) == "<":
        marker = yield from source.match_any(AFTER_VALUE)
    if not marker:
        return ""
    source.release()
    calls.begin(name)
    marker = yield from _Arguments(source, calls, calls.schemas[name]).scan(marker)
    while marker in ENDS:
        source.release()
        ended = marker == Qwen3Coder.END
        more = not ended and (yield from source.space()) == "<"
        marker = (yield from source.match_any((Qwen3Coder.END, *OPENS))) if more else ""
    return marker


@dataclass(slots=True)
class _Arguments:
    """The parameters of a call. A value is text, or what its type in the schema says."""

    source: IncrementalText
    calls: CallParser
    schema: Mapping[str, Any]
    seen: set[str] = field(default_factory=set)

    def scan(self, marker: str) -> Scanner[str]:
        """Read the parameters from this marker on; return the one after them, "" if broken."""
        while marker == Qwen3Coder.PARAMETER:
            key = yield from self._key()
            while key:
                marker, key = yield from self._parameter(key)
            if marker == Qwen3Coder.END_PARAMETER:
                self.source.release()
                more = (yield from self.source.space()) == "<"
                marker = (yield from self.source.match_any(AFTER_VALUE)) if more else ""
            elif marker == Qwen3Coder.PARAMETER:
                return ""
        if marker:
            self.calls.arguments("}" if self.seen else "{}")
        return marker

    def _key(self) -> Scanner[str]:
        """Read a parameter's name and the end of its tag; "" if the tag has no end."""
        key = (yield from self.source.word(NAME_ENDS)).strip()
        return key if (yield from self.source.accept(">")) else ""

    def _parameter(self, key: str) -> Scanner[tuple[str, str]]:
        """Read a value; return the marker at its end, and the key of one that begins there."""
        self.source.release()
        opening = ", " if self.seen else "{"
        self.calls.arguments(f"{opening}{json.dumps(key, ensure_ascii=False)}: ")
        self.seen.add(key)
        types = argument_types(self.schema, key)
        if types == STRING:
            self.calls.arguments('"')
            end = yield from self._value(self._add_string)
            self.calls.arguments('"' if end[0] else "")
            return end
        parts: list[str] = []
        end = yield from self._value(parts.append)
        text = "".join(parts)
        self.calls.arguments(typed_json(text, types) if end[0] else text)
        return end

    def _add_string(self, text: str) -> None:
        self.calls.arguments(json.dumps(text, ensure_ascii=False)[1:-1])

    def _value(self, emit: Emit) -> Scanner[tuple[str, str]]:
        """Read text without the newlines next to its tags, up to a marker.

        A parameter's tag is one where the last has no end, and only for a declared name that is
        new; so values may have such tags.
        """
        source, newline = self.source, ""
        if (yield from source.peek()) == "\n":
            yield from source.take()
        source.release()
        while (yield from source.peek()):
            text = newline + source.rest("<")
            newline = "\n" if text.endswith("\n") else ""
            emit(text[: len(text) - len(newline)])
            marker = yield from source.match_any(IN_VALUE)
            key = (yield from self._key()) if marker == Qwen3Coder.PARAMETER else ""
            if marker and (marker != Qwen3Coder.PARAMETER or self._is_new(key)):
                return marker, key
            if held := source.release():
                emit(newline + held)
                newline = ""
        return "", ""

    def _is_new(self, key: str) -> bool:
        return key in declared_arguments(self.schema) and key not in self.seen

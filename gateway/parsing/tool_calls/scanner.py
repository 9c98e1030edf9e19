"""The incremental scanner of tool calls written as JSON.

What the grammars of this package read is held until it is known to be a call; otherwise it is
content. Arguments are passed on as they come, so their syntax is the model's own.
"""

import json
from dataclasses import dataclass

from gateway.parsing.incremental_text import IncrementalText, Scanner, read_text, read_value
from gateway.parsing.tool_calls.call_parser import CallParser

ARGUMENTS = ("arguments", "parameters")


def scan_calls(source: IncrementalText, calls: CallParser) -> Scanner[bool]:
    """Read an object or an array of objects; return false, the rest held, if it is no call."""
    if (yield from source.peek()) != "[":
        return (yield from scan_call(source, calls))
    yield from source.take()
    while (yield from source.space()) == "{":
        called = yield from scan_call(source, calls)
        if not called:
            calls.text(source.release())
        if not (yield from source.accept(",")):
            closed = called and (yield from source.accept("]"))
            if closed:
                source.release()
            return closed
    return False


def scan_call(source: IncrementalText, calls: CallParser) -> Scanner[bool]:
    """Read `{"name": ..., "arguments": {...}}`; return false, the rest held, if it is no call."""
    return (yield from _Call(source, calls).scan())


def scan_arguments(source: IncrementalText, calls: CallParser, name: str) -> Scanner[bool]:
    """Read the object with the arguments of a call to `name` as the call's deltas."""
    source.release()
    calls.begin(name)
    whole = yield from read_value(source, calls.arguments)
    source.release()
    return whole


@dataclass(slots=True)
class _Call:
    """One JSON object that may turn out to be a call."""

    source: IncrementalText
    calls: CallParser
    name: str | None = None
    arguments: str | None = None  # those that came before the name
    begun: bool = False
    refused: bool = False

    def scan(self) -> Scanner[bool]:
        """Read the object, and return whether it is a call; one that has begun stays a call."""
        whole = yield from self._members()
        if whole:
            self._begin_if_known(self.arguments or "{}")
        if self.begun:
            tail = self.source.release()
            self.calls.text("" if whole else tail)
        return self.begun

    def _members(self) -> Scanner[bool]:
        source = self.source
        yield from source.take()
        if (yield from source.accept("}")):
            return True
        while (yield from self._member()):
            if (yield from source.accept("}")):
                return True
            if not (yield from source.accept(",")):
                return False
        return False

    def _member(self) -> Scanner[bool]:
        source = self.source
        if (yield from source.space()) != '"':
            return False
        key = _parse_json((yield from read_text(source)))
        if not (yield from source.accept(":")):
            return False
        opens = (yield from source.space()) == "{"
        wanted = key in ARGUMENTS and self.arguments is None and not self.begun
        if wanted and opens and self.name is not None and not self.refused:
            self.begun = True
            return (yield from scan_arguments(source, self.calls, self.name))
        text = yield from read_text(source)
        if key == "name" and self.name is None:
            name = _parse_json(text)
            self.name = name if isinstance(name, str) and name in self.calls.names else None
            self.refused |= self.name is None
        elif wanted:
            self.arguments = text if opens else _decode_arguments(text)
            self.refused |= self.arguments is None
        self._begin_if_known(self.arguments)
        return bool(text)

    def _begin_if_known(self, arguments: str | None) -> None:
        if self.begun or self.refused or self.name is None or arguments is None:
            return
        self.begun = True
        self.source.release()
        self.calls.begin(self.name)
        self.calls.arguments(arguments)


def _parse_json(text: str) -> object:
    """Return parsed JSON; None if it is broken."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _decode_arguments(text: str) -> str | None:
    """Return the object in a JSON string; null and "" stand for the empty one; None if broken."""
    inner = "" if text == "null" else _parse_json(text)
    if not isinstance(inner, str):
        return None
    if not inner.strip():
        return "{}"
    if not isinstance(_parse_json(inner), dict):
        return None
    return inner.encode("utf-8", "backslashreplace").decode()  # a lone surrogate, escaped again

"""The incremental scanner of tool calls written as JSON.

What the grammars of this package read is held until it is known to be a call; otherwise it is
content. Arguments are passed on as they come, so their syntax is the model's own.
"""

import json

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


class _Call:
    """One JSON object that may turn out to be a call."""

    def __init__(self, source: IncrementalText, calls: CallParser) -> None:
        self._source = source
        self._calls = calls
        self._name: str | None = None
        self._arguments: str | None = None  # those that came before the name
        self._begun = False
        self._refused = False

    def scan(self) -> Scanner[bool]:
        """Read the object, and return whether it is a call; one that has begun stays a call."""
        whole = yield from self._members()
        if whole:
            self._begin_if_known(self._arguments or "{}")
        if self._begun:
            tail = self._source.release()
            self._calls.text("" if whole else tail)
        return self._begun

    def _members(self) -> Scanner[bool]:
        source = self._source
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
        source = self._source
        if (yield from source.space()) != '"':
            return False
        key = _parse_json((yield from read_text(source)))
        if not (yield from source.accept(":")):
            return False
        opens = (yield from source.space()) == "{"
        wanted = key in ARGUMENTS and self._arguments is None and not self._begun
        if wanted and opens and self._name is not None and not self._refused:
            self._begun = True
            return (yield from scan_arguments(source, self._calls, self._name))
        text = yield from read_text(source)
        if key == "name" and self._name is None:
            name = _parse_json(text)
            self._name = name if isinstance(name, str) and name in self._calls.names else None
            self._refused |= self._name is None
        elif wanted:
            self._arguments = text if opens else _decode_arguments(text)
            self._refused |= self._arguments is None
        self._begin_if_known(self._arguments)
        return bool(text)

    def _begin_if_known(self, arguments: str | None) -> None:
        if self._begun or self._refused or self._name is None or arguments is None:
            return
        self._begun = True
        self._source.release()
        self._calls.begin(self._name)
        self._calls.arguments(arguments)


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

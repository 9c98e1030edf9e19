"""The incremental scanner of tool calls written as JSON.

What the grammars of this package read is held until it is known to be a call; otherwise it is
content. Arguments are passed on as they come, so their syntax is the model's own.
"""

import json
import secrets
from collections.abc import Callable, Collection

from gateway.parsing.deltas import ContentDelta, MessageDelta, ToolCallDelta, join_deltas
from gateway.parsing.tool_calls.incremental_text import (
    SPACE,
    IncrementalText,
    Scanner,
    read_text,
    read_value,
)

ARGUMENTS = ("arguments", "parameters")


def new_id() -> str:
    """Return a new call id."""
    return f"call_{secrets.token_hex(12)}"


class CallCollector:
    """Collects content and calls as deltas.

    Calls beyond `limit` and white space next to a call are left out.
    """

    def __init__(
        self, names: Collection[str], limit: int | None, make_id: Callable[[], str]
    ) -> None:
        self.names = frozenset(names)
        self._limit = limit
        self._make_id = make_id
        self._calls = 0
        self._space = ""
        self._parts: list[MessageDelta] = []

    def text(self, text: str) -> None:
        """Add content; the white space at its end waits for what follows."""
        text = self._space + text
        body = text.rstrip(SPACE)
        self._space = text[len(body) :]
        if body:
            self._parts.append(ContentDelta(body))

    def begin(self, name: str) -> None:
        """Begin the next call."""
        self._space = ""
        self._calls += 1
        if self._wanted():
            self._parts.append(ToolCallDelta(self._calls - 1, self._make_id(), name, ""))

    def arguments(self, text: str) -> None:
        """Add to the arguments of the call that was begun last."""
        if self._wanted():
            self._parts.append(ToolCallDelta(self._calls - 1, None, None, text))

    def finish(self) -> None:
        """Add the white space at the end, unless there were calls."""
        if self._space and not self._calls:
            self._parts.append(ContentDelta(self._space))
        self._space = ""

    def take_deltas(self) -> list[MessageDelta]:
        """Return the deltas since the last call of this method."""
        parts, self._parts = self._parts, []
        return join_deltas(parts)

    def _wanted(self) -> bool:
        return self._limit is None or self._calls <= self._limit


def scan_text(source: IncrementalText, calls: CallCollector, stop: str = "") -> Scanner[str]:
    """Read content, what is held first, up to `stop`; return that character, or "" at the end."""
    calls.text(source.release())
    while (char := (yield from source.peek())) and char != stop:
        calls.text(source.rest(stop))
    return char


def scan_calls(source: IncrementalText, calls: CallCollector) -> Scanner[bool]:
    """Read an object or an array of objects; return false, the rest held, if it is no call."""
    if (yield from source.peek()) != "[":
        return (yield from scan_call(source, calls))
    opened, called = True, False
    while opened or (yield from source.space()) == ",":
        opened = False
        yield from source.take()
        if (yield from source.space()) != "{":
            return False
        called = yield from scan_call(source, calls)
        if not called:
            calls.text(source.release())
    if not called or (yield from source.peek()) != "]":
        return False
    yield from source.take()
    source.release()
    return True


def scan_call(source: IncrementalText, calls: CallCollector) -> Scanner[bool]:
    """Read `{"name": ..., "arguments": {...}}`; return false, the rest held, if it is no call."""
    if (yield from source.peek()) != "{":
        return False
    return (yield from _Call(source, calls).scan())


def scan_arguments(source: IncrementalText, calls: CallCollector, name: str) -> Scanner[bool]:
    """Read the object with the arguments of a call to `name` as the call's deltas."""
    source.release()
    calls.begin(name)
    whole = yield from read_value(source, calls.arguments)
    source.release()
    return whole


class _Call:
    """One JSON object that may turn out to be a call."""

    def __init__(self, source: IncrementalText, calls: CallCollector) -> None:
        self._source = source
        self._collector = calls
        self._name: str | None = None
        self._arguments: str | None = None  # those that came before the name
        self._begun = False
        self._refused = False

    def scan(self) -> Scanner[bool]:
        """Read the object, and return whether it is a call; one that has begun stays a call."""
        whole = yield from self._members()
        if whole and not self._refused and not self._begun and self._name is not None:
            self._begin(self._arguments or "{}")
        if self._begun:
            tail = self._source.release()
            self._collector.text("" if whole else tail)
        return self._begun

    def _members(self) -> Scanner[bool]:
        source = self._source
        yield from source.take()
        if (yield from source.space()) == "}":
            yield from source.take()
            return True
        while (yield from self._member()):
            after = yield from source.space()
            if after not in ("}", ","):
                return False
            yield from source.take()
            if after == "}":
                return True
            yield from source.space()
        return False

    def _member(self) -> Scanner[bool]:
        source = self._source
        if (yield from source.peek()) != '"':
            return False
        key = _parse_json((yield from read_text(source)))
        if (yield from source.space()) != ":":
            return False
        yield from source.take()
        yield from source.space()
        if key == "name" and self._name is None:
            return (yield from self._read_name())
        if key in ARGUMENTS and self._arguments is None and not self._begun:
            return (yield from self._read_arguments())
        return bool((yield from read_text(source)))

    def _read_name(self) -> Scanner[bool]:
        text = yield from read_text(self._source)
        name = _parse_json(text)
        if isinstance(name, str) and name in self._collector.names:
            self._name = name
            if self._arguments is not None and not self._refused:
                self._begin(self._arguments)
        else:
            self._refused = True
        return bool(text)

    def _read_arguments(self) -> Scanner[bool]:
        opens = (yield from self._source.peek()) == "{"
        if opens and self._name is not None and not self._refused:
            self._begun = True
            return (yield from scan_arguments(self._source, self._collector, self._name))
        text = yield from read_text(self._source)
        self._arguments = text if opens else _decode_arguments(text)
        self._refused |= self._arguments is None
        if self._name is not None and self._arguments is not None and not self._refused:
            self._begin(self._arguments)
        return bool(text)

    def _begin(self, arguments: str) -> None:
        self._begun = True
        self._source.release()
        self._collector.begin(self._name or "")
        self._collector.arguments(arguments)


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

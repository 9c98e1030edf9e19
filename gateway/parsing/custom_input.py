"""`CustomToolParser`: a custom tool's input, which a model writes as a function's one argument."""

import json
import re
from collections.abc import Collection
from dataclasses import replace
from typing import Final

from engine import TokenDelta
from gateway.parsing.deltas import MessageDelta, ToolCallDelta
from gateway.parsing.message import MessageParser
from gateway.parsing.parser import TextParser

INPUT: Final = "input"

_OPENING: Final = re.compile(rf'\s*\{{\s*"{INPUT}"\s*:\s*"')
_HEX: Final = "[0-9a-fA-F]{4}"
# Half of a surrogate pair counts when it is known what follows.
_CHARACTERS: Final = re.compile(
    rf'(?:[^"\\]|\\[^u]|\\u(?![dD][89abAB]){_HEX}|\\u{_HEX}(?=[^\\]|\\[^u]|\\u{_HEX})'
    r"|\\u(?=[0-9a-fA-F]{0,3}[^0-9a-fA-F]))+"
)
_ESCAPE: Final = re.compile(rf"\\(u{_HEX}|.)", re.DOTALL)
_SHORT: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"} | {c: c for c in '"\\/'}


class CustomInput:
    """Decodes the input from the arguments' JSON as it comes.

    Models make mistakes in long strings: an unknown escape stays as it is, and arguments of
    another form are the input themselves.
    """

    def __init__(self) -> None:
        self._rest = ""
        self._opened = False

    def feed(self, arguments: str) -> str:
        """Take more of the arguments and return the text that is certain by now."""
        self._rest += arguments
        if not self._opened:
            opening = _OPENING.match(self._rest)
            if opening is None:
                return ""
            self._opened, self._rest = True, self._rest[opening.end() :]
        return self._take()

    def finish(self) -> str:
        """Return the text of arguments that have another form."""
        return "" if self._opened else _only_text(self._rest)

    def _take(self) -> str:
        found = _CHARACTERS.match(self._rest)
        if found is None:
            return ""
        self._rest = self._rest[found.end() :]
        return _unescape(found[0])


def _unescape(text: str) -> str:
    return _whole_pairs(_ESCAPE.sub(_character, text))


def _character(escape: re.Match[str]) -> str:
    code = escape[1]
    return chr(int(code[1:], 16)) if len(code) == 5 else _SHORT.get(code, escape[0])


def _whole_pairs(text: str) -> str:
    """Return the text with pairs of surrogates joined; half of one is U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _only_text(arguments: str) -> str:
    """Return the input in arguments that do not begin with it."""
    try:
        found = json.loads(arguments, strict=False)
    except (ValueError, RecursionError):
        return arguments
    if isinstance(found, dict):
        found = found.get(INPUT, next(iter(found.values()), None) if len(found) == 1 else None)
    return _whole_pairs(found) if isinstance(found, str) else arguments


class CustomToolParser(MessageParser):
    """Turns the arguments of calls to the tools with these `names` into their input."""

    def __init__(
        self, reasoning: TextParser | None, rest: TextParser | None, names: Collection[str]
    ) -> None:
        super().__init__(reasoning, rest)
        self._names = names
        self._open: tuple[ToolCallDelta, CustomInput] | None = None

    def feed(self, delta: TokenDelta) -> list[MessageDelta]:
        """Return what is certain by now; after the last delta, everything."""
        converted: list[MessageDelta] = []
        for part in super().feed(delta):
            if not isinstance(part, ToolCallDelta) or part.id is not None:
                converted += self._close()
            if isinstance(part, ToolCallDelta):
                converted += self._call(part)
            else:
                converted.append(part)
        return converted if delta.finish_reason is None else converted + self._close()

    def _call(self, part: ToolCallDelta) -> list[MessageDelta]:
        if part.name in self._names:
            self._open = (replace(part, id=None, name=None, custom=True), CustomInput())
            text = self._open[1].feed(part.arguments)
            return [replace(part, arguments=text, custom=True)]
        if self._open is None:
            return [part]
        return self._piece(self._open[1].feed(part.arguments))

    def _close(self) -> list[MessageDelta]:
        if self._open is None:
            return []
        last = self._piece(self._open[1].finish())
        self._open = None
        return last

    def _piece(self, text: str) -> list[MessageDelta]:
        assert self._open is not None
        return [replace(self._open[0], arguments=text)] if text else []

"""`IncrementalText`: text that is still being written, and the reading of JSON values from it.

A `Scanner` reads it: a generator that waits inside for more text, so that it does not matter
where the text was cut.
"""

import json
import re
from collections.abc import Callable, Collection, Generator
from typing import TypeVar

T = TypeVar("T")
Scanner = Generator[None, str, T]
Emit = Callable[[str], None]

SPACE = " \t\r\n"
SCALAR = frozenset("+-.0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
IN_STRING = re.compile(r'[^"\\\x00-\x1f]+')
BETWEEN = re.compile(r'[^"{}\[\]]+')  # within an object or an array, outside strings
CLOSES = {"{": "}", "[": "]"}


class IncrementalText:
    """The characters of a text that is still being written; "" is its end."""

    def __init__(self) -> None:
        self._text = ""
        self._at = 0
        self._ended = False
        self._held: list[str] = []

    def peek(self) -> Scanner[str]:
        """Return the next character without reading it; "" at the end."""
        while self._at == len(self._text) and not self._ended:
            self._text, self._at = (yield), 0
            self._ended = not self._text
        return self._text[self._at : self._at + 1]

    def take(self) -> Scanner[str]:
        """Read the next character and hold it."""
        char = yield from self.peek()
        self._at += len(char)
        self._held.append(char)
        return char

    def space(self) -> Scanner[str]:
        """Read white space, and return the character after it."""
        while (char := (yield from self.peek())) and char in SPACE:
            yield from self.take()
        return char

    def accept(self, char: str) -> Scanner[bool]:
        """Read white space, and this character if it is next; return whether it was."""
        if (yield from self.space()) != char:
            return False
        yield from self.take()
        return True

    def match(self, marker: str) -> Scanner[bool]:
        """Read `marker`, or as much of it as the text has; return whether it has all."""
        for char in marker:
            if (yield from self.peek()) != char:
                return False
            yield from self.take()
        return True

    def match_any(self, markers: Collection[str]) -> Scanner[str]:
        """Read one of `markers`, or as much as the text has of one; return it, "" for none.

        None of them begins with another.
        """
        read = ""
        while read not in markers:
            char = yield from self.peek()
            if not char or not any(marker.startswith(read + char) for marker in markers):
                return ""
            read += yield from self.take()
        return read

    def word(self, stops: str, longest: int = 256) -> Scanner[str]:
        """Read and return the characters before one of `stops`, `longest` of them at most."""
        chars: list[str] = []
        while (char := (yield from self.peek())) and char not in stops and len(chars) < longest:
            chars.append((yield from self.take()))
        return "".join(chars)

    def rest(self, stop: str) -> str:
        """Read what is here already, up to `stop`, without holding it."""
        end = self._text.find(stop, self._at) if stop else -1
        start, self._at = self._at, len(self._text) if end < 0 else end
        return self._text[start : self._at]

    def run(self, pattern: re.Pattern[str]) -> str:
        """Read and hold what is here already and matches `pattern`, a run of one class."""
        found = pattern.match(self._text, self._at)
        if found is None:
            return ""
        self._at = found.end()
        self._held.append(found[0])
        return found[0]

    def release(self) -> str:
        """Return what is held, and hold nothing."""
        held = "".join(self._held)
        self._held.clear()
        return held


def read_text(source: IncrementalText) -> Scanner[str]:
    """Read a value and return its text; "" if it is broken."""
    chars: list[str] = []
    whole = yield from read_value(source, chars.append)
    return "".join(chars) if whole else ""


def read_value(source: IncrementalText, emit: Emit) -> Scanner[bool]:
    """Read a JSON value, counting brackets on a list: depth costs no recursion."""
    open_: list[str] = []
    while char := (yield from source.peek()):
        if char == '"':
            if not (yield from _quoted(source, emit)):
                return False
        elif not open_ and char not in CLOSES:
            return (yield from _scalar(source, emit))
        elif not _count_bracket(char, open_):
            return False
        else:
            emit((yield from source.take()))
        if not open_:
            return True
        if run := source.run(BETWEEN):
            emit(run)
    return False


def _count_bracket(char: str, open_: list[str]) -> bool:
    """Count the open brackets; return false if `char` closes the wrong one."""
    if char in CLOSES:
        open_.append(CLOSES[char])
    return char not in "]}" or open_.pop() == char


def _scalar(source: IncrementalText, emit: Emit) -> Scanner[bool]:
    some = False
    while (yield from source.peek()) in SCALAR:
        emit((yield from source.take()))
        some = True
    return some


def _quoted(source: IncrementalText, emit: Emit) -> Scanner[bool]:
    """Read a string; a bare control character, which models write and JSON forbids, is escaped."""
    emit((yield from source.take()))
    while char := (yield from source.take()):
        emit(char if char >= " " else json.dumps(char)[1:-1])
        if char == '"':
            return True
        if char == "\\":
            emit((yield from source.take()))
        if run := source.run(IN_STRING):
            emit(run)
    return False

"""The incremental reading of Python's literals, which come out as JSON."""

import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Final

from gateway.parsing.incremental_text import Emit, IncrementalText, Scanner

WORD_ENDS: Final = " \t\r\n,:()[]{}'\"=<"
CLOSES: Final = {"[": "]", "(": ")", "{": "}"}
WORDS: Final = {"True": "true", "False": "false", "None": "null"}
JSON_SCALAR: Final = re.compile(r"true|false|null|-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
IN_STRING: Final = re.compile(r"""[^'"\\\x00-\x1f]+""")
ESCAPES: Final = {"'": "'", "\n": "", "": "", "a": r"\u0007", "v": r"\u000b"} | {
    char: "\\" + char for char in 'bfnrt\\"'
}
HEX_DIGITS: Final = {"x": 2, "u": 4, "U": 8}
NUMBERS: Final[tuple[Callable[[str], float], ...]] = (lambda word: int(word, 0), int, float)


def read_literal(source: IncrementalText, emit: Emit) -> Scanner[bool]:
    """Read a literal and emit it as JSON; return false where it breaks off, the rest held.

    Tuples are arrays. Brackets are counted on a list: depth costs no recursion.
    """
    open_: list[str] = []
    before = ""
    while True:
        char = yield from source.space()
        is_key = open_[-1:] == ["}"] and before != ": "
        if char in CLOSES and not is_key:
            yield from source.take()
            open_.append(CLOSES[char])
            emit(before + ("{" if char == "{" else "["))
            before = ""
            continue
        if [char] != open_[-1:] or before == ": ":
            if not (yield from _scalar(source, emit, before, is_key=is_key)):
                return False
        else:  # an empty list, or a comma at the end
            is_key = False
        while open_ and not is_key and (yield from source.accept(open_[-1])):
            emit("}" if open_.pop() == "}" else "]")
        if not open_:
            return True
        before = ": " if is_key else ", "
        if not (yield from source.accept(before[0])):
            return False


def literal_to_json(text: str) -> str:
    """Return a whole literal as JSON; "" if the text is none."""
    parts: list[str] = []
    source = IncrementalText()
    scanner = read_literal(source, parts.append)
    try:
        next(scanner)
        scanner.send(text)
        scanner.send("")
    except StopIteration as end:
        rest = source.rest("").strip()
        return "".join(parts) if end.value and not rest else ""
    return ""


def _scalar(source: IncrementalText, emit: Emit, before: str, *, is_key: bool) -> Scanner[bool]:
    quote = yield from source.peek()
    if quote in ("'", '"'):
        yield from source.take()
        emit(before + '"')
        return (yield from _string(source, emit, quote))
    word = _json_scalar((yield from source.word(WORD_ENDS)))
    if word:
        emit(before + (json.dumps(word) if is_key else word))
    return bool(word)


def _json_scalar(word: str) -> str:
    """Return Python's name of a constant, or its number, as JSON; "" if it is neither."""
    if JSON_SCALAR.fullmatch(word):
        return word
    return WORDS.get(word) or next(_as_numbers(word), "")


def _as_numbers(word: str) -> Iterator[str]:
    for read in NUMBERS:
        try:
            number = read(word)
        except ValueError:
            continue
        if math.isfinite(number):
            yield json.dumps(number)


def _string(source: IncrementalText, emit: Emit, quote: str) -> Scanner[bool]:
    """Read the rest of a string, between three quotes too, with bare newlines in any."""
    quotes = 1 + (yield from _count(source, quote, 2))
    if quotes == 2:
        emit('"')
        return True
    while char := (yield from source.peek()):
        if char == quote:
            found = yield from _count(source, quote, quotes)
            emit('"' if found == quotes else _escaped(quote * found))
            if found == quotes:
                return True
        elif char == "\\":
            yield from source.take()
            emit((yield from _escape(source)))
        elif run := source.run(IN_STRING):
            emit(run)
        else:
            emit(_escaped((yield from source.take())))
    return False


def _count(source: IncrementalText, char: str, most: int) -> Scanner[int]:
    """Read this character as often as it comes, `most` times at most; return how often."""
    count = 0
    while count < most and (yield from source.peek()) == char:
        yield from source.take()
        count += 1
    return count


def _escape(source: IncrementalText) -> Scanner[str]:
    """Read what follows a backslash, and return what it stands for, as in a string of JSON."""
    char = yield from source.take()
    if char in ESCAPES:
        return ESCAPES[char]
    if char in HEX_DIGITS:
        digits = yield from _digits(source, "0123456789abcdefABCDEF", HEX_DIGITS[char])
        code = int(digits, 16) if len(digits) == HEX_DIGITS[char] else -1
        return _character(code) or _escaped("\\" + char + digits)
    if char in "01234567":
        return _character(int(char + (yield from _digits(source, "01234567", 2)), 8))
    return _escaped("\\" + char)


def _digits(source: IncrementalText, digits: str, most: int) -> Scanner[str]:
    found = ""
    while len(found) < most and (char := (yield from source.peek())) and char in digits:
        found += yield from source.take()
    return found


def _character(code: int) -> str:
    return json.dumps(chr(code))[1:-1] if 0 <= code <= 0x10FFFF else ""


def _escaped(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]

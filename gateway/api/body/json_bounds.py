"""`JsonBounds`: how large a JSON document may be, checked before it is parsed.

The parser and pydantic hold the GIL while they work through a document: 1.4 million empty strings
in 4 MiB stop every other stream for seconds. Bytes are counted in C; a document that may be over a
bound is scanned token by token in Python, where other threads run meanwhile, and no further than
to the bound.
"""

import re
from dataclasses import dataclass
from typing import Final

from gateway.errors import ApiError

_TOKEN: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{},]', re.DOTALL)
_OPEN, _CLOSE, _BEFORE_VALUE = b"[{", b"]}", b"[{,"


@dataclass(frozen=True, slots=True)
class JsonBounds:
    """The most values and the deepest nesting of one document."""

    values: int
    depth: int = 64

    def check(self, raw: bytes) -> None:
        """Raise ApiError 400 for a document beyond the bounds.

        A document of few bytes cannot be beyond them; the parser itself ends at a deep nesting.
        """
        if len(raw) <= self.values:
            return
        opened = raw.count(b"[") + raw.count(b"{")
        if opened + raw.count(b",") > self.values or opened > self.depth:
            self._scan(raw)

    def _scan(self, raw: bytes) -> None:
        values, depth = 1, 0
        for token in _TOKEN.finditer(raw):
            char = raw[token.start()]
            if char in _OPEN:
                depth += 1
            elif char in _CLOSE:
                depth -= 1
            values += char in _BEFORE_VALUE
            if values > self.values:
                raise _beyond(f"has more than {self.values} values")
            if depth > self.depth:
                raise _beyond(f"is nested more than {self.depth} levels deep")


def _beyond(what: str) -> ApiError:
    return ApiError(400, f"The body {what}. Send a smaller request.", code="request_too_large")

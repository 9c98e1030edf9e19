"""`IgnoredFields`: what is said of request fields that were taken without effect."""

import re
from collections.abc import Sequence
from typing import Final

from gateway.observe.metrics import Meter

MAX_HEADER: Final = 1024  # bytes of `x-ignored-fields`
MAX_LABELS: Final = 100  # names that the metric tells apart; clients choose them
_INDEX: Final = re.compile(r"\[\d+\]")
_PLAIN: Final = re.compile(r"[!-+\--~]{1,256}")  # ASCII without spaces and commas


class IgnoredFields:
    """Counts the fields by their paths without indexes, of which only the first 100 have names."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._names: set[str] = set()

    def count(self, paths: Sequence[str]) -> None:
        """Count each field once for the request."""
        for name in dict.fromkeys(_INDEX.sub("", path) for path in paths):
            if len(self._names) < MAX_LABELS:
                self._names.add(name)
            label = name if name in self._names else "other"
            self._meter.add("ignored_fields_total", {"field": label})


def header_value(paths: Sequence[str]) -> str:
    """Return the paths as one header's value of at most 1 KiB; `...` stands for the rest."""
    shown = ""
    for path in dict.fromkeys(paths):
        part = path if _PLAIN.fullmatch(path) else "?"
        if len(shown) + len(part) + len(", ") > MAX_HEADER - len(", ..."):
            return f"{shown}, ..."
        shown += f", {part}" if shown else part
    return shown

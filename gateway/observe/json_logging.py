"""The log of the gateway: JSON lines on standard output.

Under Ray Serve a replica's standard output is its worker's log file.
"""

import json
import logging
import sys
from typing import Any, Final

LOGGERS: Final = ("gateway", "engine")


class JsonLine(logging.Formatter):
    """Formats a record as one JSON line; `extra={"fields": ...}` are its top-level fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": round(record.created, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        fields = getattr(record, "fields", None)
        line |= {"message": record.getMessage()} if fields is None else fields
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def configure() -> None:
    """Configure the loggers of the gateway and the engine; others stay as they are."""
    handler = logging.StreamHandler(sys.__stdout__)  # Serve replaces sys.stdout with a logger
    handler.setFormatter(JsonLine())
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(logging.INFO)
        logger.propagate = False

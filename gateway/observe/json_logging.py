"""What the gateway says, as JSON lines on standard output: one for each request, and its own words.

Under Ray Serve a replica's standard output is its worker's log file.
"""

import json
import logging
import sys
from typing import Any, Final

LOGGERS: Final = ("gateway", "engine")


class JsonLine(logging.Formatter):
    """Writes a record as one line; what a logger gave as `extra={"fields": ...}` is its top."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line."""
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
    """Let the gateway and the engine write their lines; other loggers stay as they are."""
    handler = logging.StreamHandler(sys.__stdout__)  # Serve puts a logger of its own over stdout
    handler.setFormatter(JsonLine())
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(logging.INFO)
        logger.propagate = False

"""Server-sent events: a chunk as a frame, and the frames that are always the same."""

import json
from typing import Any, Final

DONE: Final = b"data: [DONE]\n\n"
PING: Final = b": ping\n\n"


def frame(chunk: Any) -> bytes:
    """Return one JSON chunk as one frame."""
    data = json.dumps(chunk, ensure_ascii=False, separators=(",", ":"))
    return f"data: {data}\n\n".encode()

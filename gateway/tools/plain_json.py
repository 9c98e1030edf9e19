"""Plain JSON: the answer is one call or an array of calls."""

from gateway.tools.scan import Found, scan_calls, scan_text
from gateway.tools.source import Source, Steps


def plain_json(source: Source, found: Found) -> Steps[None]:
    """Read calls at the beginning; all the rest is content."""
    if (yield from source.space()) in ("{", "["):
        yield from scan_calls(source, found)
    yield from scan_text(source, found)

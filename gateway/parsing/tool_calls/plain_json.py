"""Plain JSON: the answer is one call or an array of calls."""

from gateway.parsing.tool_calls.incremental_text import IncrementalText, Scanner
from gateway.parsing.tool_calls.scanner import CallCollector, scan_calls, scan_text


def plain_json(source: IncrementalText, calls: CallCollector) -> Scanner[None]:
    """Read calls at the beginning; all the rest is content."""
    if (yield from source.space()) in ("{", "["):
        yield from scan_calls(source, calls)
    yield from scan_text(source, calls)

"""Plain JSON: the answer is one call or an array of calls, or the arguments of a known function."""

from gateway.parsing.incremental_text import IncrementalText, Scanner
from gateway.parsing.parser import scan_text
from gateway.parsing.tool_calls.call_parser import CallParser
from gateway.parsing.tool_calls.scanner import scan_calls


def plain_json(source: IncrementalText, calls: CallParser) -> Scanner[None]:
    """Read calls at the beginning; all the rest is content."""
    if (yield from source.space()) in ("{", "["):
        yield from scan_calls(source, calls)
    yield from scan_text(source, calls)


def arguments_alone(source: IncrementalText, calls: CallParser) -> Scanner[None]:
    """Read the whole text as the arguments of the only function."""
    if (yield from source.peek()):
        calls.begin(*calls.names)
    while (yield from source.peek()):
        calls.arguments(source.rest(""))

"""Llama 3: objects separated by `;`, at the beginning or after `<|python_tag|>`."""

from engine.tool_formats import Llama3Json
from gateway.parsing.incremental_text import IncrementalText, Scanner
from gateway.parsing.parser import scan_text
from gateway.parsing.tool_calls.call_parser import CallParser
from gateway.parsing.tool_calls.scanner import scan_call


def llama3_json(source: IncrementalText, calls: CallParser) -> Scanner[None]:
    """Read calls, then content with calls after each tag in it."""
    if (yield from source.space()) == "{":
        yield from scan_objects(source, calls)
    while (yield from scan_text(source, calls, "<")):
        if (yield from source.match(Llama3Json.TAG)):
            yield from scan_objects(source, calls)


def scan_objects(source: IncrementalText, calls: CallParser) -> Scanner[None]:
    """Read objects and what separates them; those that are no calls are content."""
    while (yield from source.space()) == "{":
        called = yield from scan_call(source, calls)
        if not called:
            calls.text(source.release())
        if (yield from source.accept(";")) and called:
            source.release()

"""Llama 3: objects separated by `;`, at the beginning or after `<|python_tag|>`."""

from gateway.parsing.tool_calls.incremental_text import IncrementalText, Scanner
from gateway.parsing.tool_calls.scanner import CallCollector, scan_call, scan_text

TAG = "<|python_tag|>"


def llama3_json(source: IncrementalText, calls: CallCollector) -> Scanner[None]:
    """Read calls, then content with calls after each tag in it."""
    if (yield from source.space()) == "{":
        yield from _objects(source, calls)
    while (yield from scan_text(source, calls, "<")):
        if (yield from source.match(TAG)):
            yield from _objects(source, calls)


def _objects(source: IncrementalText, calls: CallCollector) -> Scanner[None]:
    while (yield from source.space()) == "{":
        called = yield from scan_call(source, calls)
        if not called:
            calls.text(source.release())
        if (yield from source.space()) == ";":
            yield from source.take()
            if called:
                source.release()

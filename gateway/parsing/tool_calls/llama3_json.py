"""Llama 3: objects separated by `;`, at the beginning or after `<|python_tag|>`."""

from gateway.parsing.tool_calls.incremental_text import Source, Steps
from gateway.parsing.tool_calls.scanner import Found, scan_call, scan_text

TAG = "<|python_tag|>"


def llama3_json(source: Source, found: Found) -> Steps[None]:
    """Read calls, then content with calls after each tag in it."""
    if (yield from source.space()) == "{":
        yield from _objects(source, found)
    while (yield from scan_text(source, found, "<")):
        if (yield from source.match(TAG)):
            yield from _objects(source, found)


def _objects(source: Source, found: Found) -> Steps[None]:
    while (yield from source.space()) == "{":
        called = yield from scan_call(source, found)
        if not called:
            found.text(source.release())
        if (yield from source.space()) == ";":
            yield from source.take()
            if called:
                source.release()

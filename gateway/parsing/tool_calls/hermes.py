"""Hermes and Qwen: `<tool_call>` blocks with content around them."""

from engine.tool_formats import Hermes
from gateway.parsing.incremental_text import IncrementalText, Scanner
from gateway.parsing.parser import scan_text
from gateway.parsing.tool_calls.call_parser import CallParser
from gateway.parsing.tool_calls.scanner import scan_calls


def hermes(source: IncrementalText, calls: CallParser) -> Scanner[None]:
    """Read content, and in each block one or more objects, or an array of them."""
    while (yield from scan_text(source, calls, "<")):
        if (yield from source.match(Hermes.BEGIN)):
            yield from _block(source, calls)


def _block(source: IncrementalText, calls: CallParser) -> Scanner[None]:
    some = False
    while (yield from source.space()) in ("{", "["):
        if not (yield from scan_calls(source, calls)):
            return
        some = True
    if some and (yield from source.match(Hermes.END)):
        source.release()

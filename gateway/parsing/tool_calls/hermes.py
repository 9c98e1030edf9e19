"""Hermes and Qwen: `<tool_call>` blocks with content around them."""

from engine.tool_formats import Hermes, Qwen3Coder
from gateway.parsing.incremental_text import IncrementalText, Scanner
from gateway.parsing.parser import scan_text
from gateway.parsing.tool_calls.call_parser import CallParser
from gateway.parsing.tool_calls.scanner import scan_calls
from gateway.parsing.tool_calls.xml_call import OPENS, scan_function


def hermes(source: IncrementalText, calls: CallParser) -> Scanner[None]:
    """Read content, and in each block its calls."""
    while (yield from scan_text(source, calls, "<")):
        marker = Hermes.BEGIN if (yield from source.match(Hermes.BEGIN)) else ""
        while marker:
            marker = yield from scan_block(source, calls, marker)


def scan_block(source: IncrementalText, calls: CallParser, marker: str) -> Scanner[str]:
    """Read objects, arrays of them, or XML; return the marker of the next block, "" for none.

    Qwen3-Coder, which writes XML, has the model type of Qwen3, which writes JSON.
    """
    called = False
    while marker == Hermes.BEGIN and (yield from source.space()) in ("{", "["):
        if not (yield from scan_calls(source, calls)):
            return ""
        called = True
    if marker == Hermes.BEGIN and (yield from source.space()) == "<":
        marker = yield from source.match_any((Hermes.END, *OPENS) if called else OPENS)
        if marker == Hermes.END:
            source.release()
        if marker != Qwen3Coder.FUNCTION:
            return marker if marker == Hermes.BEGIN else ""
    if marker == Qwen3Coder.FUNCTION:
        return (yield from scan_function(source, calls))
    return ""

"""Qwen3-Coder and Qwen3.5: XML in `<tool_call>` blocks, and calls without a block."""

from gateway.parsing.incremental_text import IncrementalText, Scanner
from gateway.parsing.parser import scan_text
from gateway.parsing.tool_calls.call_parser import CallParser
from gateway.parsing.tool_calls.hermes import scan_block
from gateway.parsing.tool_calls.xml_call import OPENS


def qwen3_coder(source: IncrementalText, calls: CallParser) -> Scanner[None]:
    """Read content and calls; these models sometimes leave out a block's beginning."""
    while (yield from scan_text(source, calls, "<")):
        marker = yield from source.match_any(OPENS)
        while marker:
            marker = yield from scan_block(source, calls, marker)

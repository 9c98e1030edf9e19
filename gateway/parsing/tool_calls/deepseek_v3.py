"""DeepSeek V3 and R1: sections of calls between special tokens, with JSON; V3.1 alike."""

from engine.tool_formats import DeepSeekV3
from gateway.parsing.incremental_text import IncrementalText, Scanner
from gateway.parsing.parser import scan_text
from gateway.parsing.tool_calls.call_parser import CallParser
from gateway.parsing.tool_calls.scanner import scan_arguments

NEXT = (DeepSeekV3.CALL, DeepSeekV3.END_CALL, DeepSeekV3.END)


def deepseek_v3(source: IncrementalText, calls: CallParser) -> Scanner[None]:
    """Read content, and the calls of each section, or calls without one."""
    while (yield from scan_text(source, calls, "<")):
        marker = yield from source.match_any((DeepSeekV3.BEGIN, DeepSeekV3.CALL))
        if marker == DeepSeekV3.BEGIN and (yield from source.space()) == "<":
            marker = yield from source.match_any((DeepSeekV3.CALL,))
        while marker == DeepSeekV3.CALL:
            marker = yield from _call(source, calls)


def _call(source: IncrementalText, calls: CallParser) -> Scanner[str]:
    """Read a call and what follows, and return the marker of the next one; "" if there is none."""
    name = yield from _head(source)
    if name not in calls.names or (yield from source.space()) != "{":
        return ""
    if not (yield from scan_arguments(source, calls, name)):
        return ""
    if (yield from source.space()) == "`" and (yield from source.match(DeepSeekV3.END_FENCE)):
        source.release()
    marker = ""
    while (yield from source.space()) == "<":
        marker = yield from source.match_any(NEXT)
        if marker != DeepSeekV3.END_CALL:
            break
        source.release()
    if marker == DeepSeekV3.END:
        source.release()
    return marker


def _head(source: IncrementalText) -> Scanner[str]:
    """Read `name<sep>`, or `function<sep>name`, and the fence; return the name."""
    name = (yield from source.word("<\n")).strip()
    if not (yield from source.match(DeepSeekV3.SEPARATOR)):
        return ""
    if (yield from source.space()) not in ("{", "`"):
        name = (yield from source.word("`{\n")).strip()
    if (yield from source.space()) == "`":
        yield from source.match(DeepSeekV3.FENCE)
    return name

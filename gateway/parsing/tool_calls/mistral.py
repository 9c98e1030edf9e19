"""Mistral: `[TOOL_CALLS]` and then an array of calls, or a name and its arguments."""

from engine.tool_formats import Mistral
from gateway.parsing.incremental_text import IncrementalText, Scanner
from gateway.parsing.parser import scan_text
from gateway.parsing.tool_calls.call_parser import CallParser
from gateway.parsing.tool_calls.scanner import scan_arguments, scan_calls

STOPS = "[{ \t\r\n"


def mistral(source: IncrementalText, calls: CallParser) -> Scanner[None]:
    """Read content, and after each marker its calls."""
    while (yield from scan_text(source, calls, "[")):
        if not (yield from source.match(Mistral.BEGIN)):
            continue
        if (yield from source.space()) in ("[", "{"):
            yield from scan_calls(source, calls)
        else:
            yield from _named(source, calls)


def _named(source: IncrementalText, calls: CallParser) -> Scanner[None]:
    """Read `name{...}`, `name[ARGS]{...}` or `name[CALL_ID]id[ARGS]{...}`."""
    name = yield from source.word(STOPS)
    marker = ""
    if (yield from source.space()) == "[":
        marker = yield from source.match_any((Mistral.ID, Mistral.ARGUMENTS))
    if marker == Mistral.ID:
        yield from source.word(STOPS)
        yield from source.match(Mistral.ARGUMENTS)
    if name in calls.names and (yield from source.space()) == "{":
        yield from scan_arguments(source, calls, name)

"""Mistral: `[TOOL_CALLS]` and then an array of calls, or a name and its arguments."""

from engine.tool_formats import Mistral
from gateway.parsing.incremental_text import IncrementalText, Scanner
from gateway.parsing.parser import scan_text
from gateway.parsing.tool_calls.call_parser import CallParser
from gateway.parsing.tool_calls.scanner import scan_arguments, scan_calls

NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.")


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
    name = yield from _word(source)
    if (yield from source.space()) == "[":
        yield from _markers(source)
    if name in calls.names and (yield from source.space()) == "{":
        yield from scan_arguments(source, calls, name)


def _markers(source: IncrementalText) -> Scanner[None]:
    yield from source.take()
    if (yield from source.peek()) == "C":
        if not (yield from source.match(Mistral.ID[1:])):
            return
        yield from _word(source)
        if (yield from source.peek()) != "[":
            return
        yield from source.take()
    yield from source.match(Mistral.ARGUMENTS[1:])


def _word(source: IncrementalText) -> Scanner[str]:
    chars: list[str] = []
    while (yield from source.peek()) in NAME:
        chars.append((yield from source.take()))
    return "".join(chars)

"""gpt-oss: messages in channels, for reasoning, for content and for calls."""

import re
from typing import Final

from engine.tool_formats import Harmony
from gateway.parsing.deltas import ContentDelta, ReasoningDelta
from gateway.parsing.incremental_text import IncrementalText, Scanner
from gateway.parsing.parser import scan_text
from gateway.parsing.tool_calls.call_parser import CallParser
from gateway.parsing.tool_calls.scanner import scan_arguments

ENDS: Final = (Harmony.END, Harmony.CALL, Harmony.RETURN)
BEGINS: Final = (Harmony.START, Harmony.CHANNEL)
IN_HEADER: Final = (*BEGINS, Harmony.CONSTRAIN, Harmony.MESSAGE)
LONGEST_HEADER: Final = 1024
ANALYSIS: Final = re.compile(re.escape(Harmony.CHANNEL) + r"\W*analysis")
RECIPIENT: Final = re.compile(
    rf"(?:^|\s){Harmony.TO}(?:{re.escape(Harmony.NAMESPACE)})?((?:(?!<\|)\S)+)"
)


def harmony(source: IncrementalText, parser: CallParser) -> Scanner[None]:
    """Read messages; the prompt has the first one's start. Text without a header is content."""
    again: set[type] = set()
    yield from _message(source, parser, "", again)
    while (yield from scan_text(source, parser, "<")):
        marker = yield from source.match_any((*BEGINS, *ENDS))
        if marker in BEGINS:
            yield from _message(source, parser, marker, again)
        elif marker:
            source.release()
            parser.switch(ContentDelta)


def _message(
    source: IncrementalText, parser: CallParser, marker: str, again: set[type]
) -> Scanner[None]:
    """Read a header and begin what it is of; `again` are the kinds of text that there were."""
    header = yield from _header(source, marker)
    if not header:
        return
    recipient = RECIPIENT.search(header)
    reasons = recipient is None and ANALYSIS.search(header) is not None
    kind = ReasoningDelta if reasons else ContentDelta
    parser.switch(kind)
    if recipient is not None:
        if recipient[1] in parser.names:
            yield from _arguments(source, parser, recipient[1])
        return
    source.release()
    if kind in again:
        parser.text("\n")
    again.add(kind)


def _header(source: IncrementalText, header: str) -> Scanner[str]:
    """Read the rest of a header, up to the text of the message; "" if it is none."""
    if not header and (yield from source.space()) == "t":
        if not (yield from source.match(Harmony.TO)):
            return ""
        header = Harmony.TO
    while len(header) < LONGEST_HEADER:
        if header:
            header += yield from source.word("<")
        marker = yield from source.match_any(IN_HEADER)
        header += marker
        if marker in ("", Harmony.MESSAGE):
            return header if marker else ""
    return ""


def _arguments(source: IncrementalText, parser: CallParser, name: str) -> Scanner[None]:
    """Read the arguments of a call; an empty message has none."""
    if (yield from source.space()) == "{":
        yield from scan_arguments(source, parser, name)
    elif (yield from source.match_any(ENDS)):
        source.release()
        parser.begin(name)
        parser.arguments("{}")

"""Llama 3.2 and Llama 4: a list of calls as Python writes them, or JSON as of Llama 3."""

import json
from dataclasses import dataclass

from engine.tool_formats import Llama3Json, Pythonic
from gateway.parsing.incremental_text import IncrementalText, Scanner
from gateway.parsing.parser import scan_text
from gateway.parsing.tool_calls.call_parser import CallParser
from gateway.parsing.tool_calls.llama3_json import scan_objects
from gateway.parsing.tool_calls.python_literal import WORD_ENDS, read_literal

TAGS = (Pythonic.BEGIN, Pythonic.END, Llama3Json.TAG)


def pythonic(source: IncrementalText, calls: CallParser) -> Scanner[None]:
    """Read calls at the beginning, then content with calls after each tag in it."""
    called = yield from _calls(source, calls)
    while (yield from scan_text(source, calls, "<")):
        tag = yield from source.match_any(TAGS)
        if tag == Pythonic.END and called:
            source.release()
        elif tag:
            called = yield from _calls(source, calls)


def _calls(source: IncrementalText, calls: CallParser) -> Scanner[bool]:
    """Read a list of calls; return whether there was one."""
    if (yield from source.space()) == "{":
        yield from scan_objects(source, calls)
        return True
    called = False
    more = yield from source.accept("[")
    while more:
        call = _Call(source, calls)
        whole = yield from call.scan()
        called |= call.begun
        if not whole:
            break
        if not call.begun:
            calls.text(source.release())
        more = yield from source.accept(",")
        if not more and call.begun and (yield from source.accept("]")):
            source.release()
    return called


@dataclass(slots=True)
class _Call:
    """What may turn out to be a call of a known function."""

    source: IncrementalText
    calls: CallParser
    name: str = ""
    held: str = "{"
    begun: bool = False

    def scan(self) -> Scanner[bool]:
        """Read the call, and return whether it is whole; it begins with its first value."""
        source = self.source
        yield from source.space()
        self.name = yield from source.word(WORD_ENDS)
        if not self.name or not (yield from source.accept("(")):
            return False
        while (yield from source.space()) != ")":
            if not (yield from self._argument()):
                return False
            self.held = ", "
            if not (yield from source.accept(",")):
                break
        if not (yield from source.accept(")")):
            return False
        self.held = "" if self.begun else self.held
        self._emit("}")
        return True

    def _argument(self) -> Scanner[bool]:
        key = yield from self.source.word(WORD_ENDS)
        if not key or not (yield from self.source.accept("=")):
            return False
        self.held += f"{json.dumps(key, ensure_ascii=False)}: "
        return (yield from read_literal(self.source, self._emit))

    def _emit(self, text: str) -> None:
        if self.name not in self.calls.names:
            return
        if not self.begun:
            self.begun = True
            self.calls.begin(self.name)
        self.source.release()
        self.calls.arguments(self.held + text)
        self.held = ""

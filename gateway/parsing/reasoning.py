"""`ReasoningParser`: separates the reasoning in a model's text from the answer."""

from gateway.parsing.deltas import ContentDelta, ReasoningDelta
from gateway.parsing.incremental_text import SPACE, IncrementalText, Scanner
from gateway.parsing.parser import TextParser, scan_text


class ReasoningParser(TextParser):
    """Finds `<think>...</think>`; white space next to a marker is left out.

    With `begins_inside` the prompt ended inside the reasoning, so that only `</think>` comes.
    """

    def __init__(self, *, begins_inside: bool = False) -> None:
        super().__init__(_sections(IncrementalText(), self))
        self._kind = ReasoningDelta if begins_inside else ContentDelta
        self._after_marker = begins_inside

    def begin(self, *, inside: bool) -> None:
        """Begin reasoning, or what is none, after a marker."""
        self.switch(ReasoningDelta if inside else ContentDelta)
        self._after_marker = True

    def text(self, text: str) -> None:
        """Add text, without the white space after a marker."""
        if self._after_marker:
            text = text.lstrip(SPACE)
            self._after_marker = not text
        super().text(text)


def _sections(source: IncrementalText, parser: ReasoningParser) -> Scanner[None]:
    # Some models repeat the template's <think>.
    repeated = (yield from source.space()) == "<" and parser.inside
    while (yield from scan_text(source, parser, "<")):
        yield from source.take()
        opens = not parser.inside or (repeated and (yield from source.peek()) == "t")
        if (yield from source.match("think>" if opens else "/think>")):
            source.release()
            parser.begin(inside=opens)
        repeated = False

"""`TextParser`: a scanner that turns a model's text into deltas as it comes."""

from contextlib import suppress

from gateway.parsing.deltas import ContentDelta, MessageDelta, ReasoningDelta, join_deltas
from gateway.parsing.incremental_text import SPACE, IncrementalText, Scanner


class TextParser:
    """Drives a scanner and collects what it adds; joined, that does not depend on the cuts.

    White space at the end of text is held until it is known what follows.
    """

    def __init__(self, scanner: Scanner[None]) -> None:
        self._scanner = scanner
        self._space = ""
        self._keeps_last_space = True
        self._kind: type[ContentDelta | ReasoningDelta] = ContentDelta
        self._parts: list[MessageDelta] = []
        next(scanner)

    def feed(self, text: str) -> list[MessageDelta]:
        """Take more text and return the deltas that are certain by now."""
        if text:
            self._scanner.send(text)
        return self._take_deltas()

    def finish(self) -> list[MessageDelta]:
        """End the text and return the deltas that were held back."""
        with suppress(StopIteration):
            self._scanner.send("")
        if self._space and self._keeps_last_space:
            self._parts.append(self._kind(self._space))
        return self._take_deltas()

    def text(self, text: str) -> None:
        """Add text; the white space at its end waits for what follows."""
        text = self._space + text
        body = text.rstrip(SPACE)
        self._space = text[len(body) :]
        if body:
            self._parts.append(self._kind(body))

    @property
    def inside(self) -> bool:
        """Whether the text so far ends inside reasoning."""
        return self._kind is ReasoningDelta

    def switch(self, kind: type[ContentDelta | ReasoningDelta]) -> None:
        """Begin text of this kind; white space at the end of the text before is left out."""
        self._kind = kind
        self._space = ""

    def _take_deltas(self) -> list[MessageDelta]:
        parts, self._parts = self._parts, []
        return join_deltas(parts)


def scan_text(source: IncrementalText, parser: TextParser, stop: str = "") -> Scanner[str]:
    """Read text, what is held first, up to `stop`; return that character, or "" at the end."""
    parser.text(source.release())
    while (char := (yield from source.peek())) and char != stop:
        parser.text(source.rest(stop))
    return char

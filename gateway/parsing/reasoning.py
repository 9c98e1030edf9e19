"""`ReasoningParser`: separates the reasoning in a model's text from the answer."""

from gateway.parsing.deltas import ContentDelta, MessageDelta, ReasoningDelta, join_deltas

SPACE = " \t\r\n"


class ReasoningParser:
    """Finds `<think>...</think>`; white space next to a marker is left out.

    With `begins_inside` the prompt ended inside the reasoning, so that only `</think>` comes.
    """

    def __init__(self, *, begins_inside: bool = False) -> None:
        self.inside = begins_inside  # whether the text so far ends inside reasoning
        self._may_open_again = begins_inside  # some models repeat the template's <think>
        self._after_marker = begins_inside
        self._text = ""  # not looked through yet: at most the beginning of a marker
        self._space = ""  # added if more text follows, left out if a marker does
        self._parts: list[MessageDelta] = []

    def feed(self, text: str) -> list[MessageDelta]:
        """Take more text and return the deltas that are certain by now."""
        self._text += text
        if self._may_open_again and not self._opened_again():
            return []
        while (at := self._text.find(self._marker)) >= 0:
            self._add_text(self._text[:at])
            self._text = self._text[at + len(self._marker) :]
            self._switch()
        certain = len(self._text) - _overlap(self._text, self._marker)
        self._add_text(self._text[:certain])
        self._text = self._text[certain:]
        return self._take_deltas()

    def finish(self) -> list[MessageDelta]:
        """End the text and return the deltas that were held back."""
        self._add_text(self._text)
        self._add(self._space)
        self._text = self._space = ""
        return self._take_deltas()

    @property
    def _marker(self) -> str:
        return "</think>" if self.inside else "<think>"

    def _opened_again(self) -> bool:
        """Drop a repeated `<think>`; false while the text may yet become one."""
        text = self._text.lstrip(SPACE)
        if len(text) < len("<think>") and "<think>".startswith(text):
            return False
        self._may_open_again = False
        self._text = text.removeprefix("<think>")
        return True

    def _switch(self) -> None:
        self.inside = not self.inside
        self._after_marker = True
        self._space = ""

    def _add_text(self, text: str) -> None:
        if self._after_marker:
            text = text.lstrip(SPACE)
            self._after_marker = not text
        text = self._space + text
        body = text.rstrip(SPACE)
        self._space = text[len(body) :]
        self._add(body)

    def _add(self, text: str) -> None:
        if text:
            self._parts.append(ReasoningDelta(text) if self.inside else ContentDelta(text))

    def _take_deltas(self) -> list[MessageDelta]:
        parts, self._parts = self._parts, []
        return join_deltas(parts)


def _overlap(text: str, marker: str) -> int:
    """Count the characters at the end of `text` that may begin `marker`."""
    if "<" not in text:
        return 0
    longest = min(len(text), len(marker) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(marker[:n])), 0)

"""`ReasoningParser`: text -> what was thought, and what is answered; and what the thought cost."""

from contextlib import aclosing
from dataclasses import replace

from engine import TokenDelta
from gateway.config import ReasoningStyle
from gateway.deltas import Deltas
from gateway.parsing.deltas import ContentDelta, MessageDelta, ReasoningDelta, merged

SPACE = " \t\r\n"


class ReasoningParser:
    """Finds `<think>...</think>`; white space next to a marker is left out.

    With `begins_inside` the prompt ended within the thought, so that only `</think>` comes.
    """

    def __init__(self, *, begins_inside: bool = False) -> None:
        self._inside = begins_inside
        self._may_open_again = begins_inside  # some models repeat the template's <think>
        self._after_marker = begins_inside
        self._text = ""  # not looked through yet: at most the beginning of a marker
        self._space = ""  # said if more text follows, left out if a marker does
        self._parts: list[MessageDelta] = []

    def feed(self, text: str) -> list[MessageDelta]:
        """Take more text and give the parts that are certain by now."""
        self._text += text
        if self._may_open_again and not self._opened_again():
            return []
        while (at := self._text.find(self._marker)) >= 0:
            self._say(self._text[:at])
            self._text = self._text[at + len(self._marker) :]
            self._turn()
        certain = len(self._text) - _overlap(self._text, self._marker)
        self._say(self._text[:certain])
        self._text = self._text[certain:]
        return self._taken()

    def finish(self) -> list[MessageDelta]:
        """End the text and give the parts that were held back."""
        self._say(self._text)
        self._add(self._space)
        self._text = self._space = ""
        return self._taken()

    @property
    def inside(self) -> bool:
        """Whether the text so far ends in a thought."""
        return self._inside

    @property
    def _marker(self) -> str:
        return "</think>" if self._inside else "<think>"

    def _opened_again(self) -> bool:
        """Drop a repeated `<think>`; false while the text may yet become one."""
        text = self._text.lstrip(SPACE)
        if len(text) < len("<think>") and "<think>".startswith(text):
            return False
        self._may_open_again = False
        self._text = text.removeprefix("<think>")
        return True

    def _turn(self) -> None:
        self._inside = not self._inside
        self._after_marker = True
        self._space = ""

    def _say(self, text: str) -> None:
        if self._after_marker:
            text = text.lstrip(SPACE)
            self._after_marker = not text
        text = self._space + text
        body = text.rstrip(SPACE)
        self._space = text[len(body) :]
        self._add(body)

    def _add(self, text: str) -> None:
        if text:
            self._parts.append(ReasoningDelta(text) if self._inside else ContentDelta(text))

    def _taken(self) -> list[MessageDelta]:
        parts, self._parts = self._parts, []
        return merged(parts)


def _overlap(text: str, marker: str) -> int:
    """Count the characters at the end of `text` that may begin `marker`."""
    if "<" not in text:
        return 0
    longest = min(len(text), len(marker) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(marker[:n])), 0)


async def count_reasoning_tokens(deltas: Deltas, style: ReasoningStyle | None) -> Deltas:
    """Pass one completion's deltas on; the usage of the last one says what was thought."""
    parser = None if style is None else ReasoningParser(begins_inside=style == "think_begun")
    thought = 0
    async with aclosing(deltas):
        async for delta in deltas:
            if parser is not None:
                thought += _thought(parser, delta)
                if delta.usage is not None:
                    delta = replace(delta, usage=replace(delta.usage, reasoning_tokens=thought))
            yield delta


def _thought(parser: ReasoningParser, delta: TokenDelta) -> int:
    """Count a delta's tokens of thought; one that begins or ends it is shared by characters."""
    before = parser.inside
    parts = parser.feed(delta.text)
    if before == parser.inside and not any(isinstance(part, ReasoningDelta) for part in parts):
        return len(delta.token_ids) if before else 0
    content = sum(len(part.text) for part in parts if isinstance(part, ContentDelta))
    share = content / max(1, len(delta.text))
    return len(delta.token_ids) - round(len(delta.token_ids) * min(1.0, share))

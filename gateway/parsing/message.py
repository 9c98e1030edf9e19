"""`MessageParser`: from the deltas of one completion to those of its message."""

from collections.abc import Sequence

from engine import TokenDelta
from gateway.parsing.deltas import ContentDelta, MessageDelta, ReasoningDelta
from gateway.parsing.parser import TextParser


class MessageParser:
    """Separates reasoning from the rest, which goes to another parser, and counts its tokens.

    A parser that finds calls too needs no other.

    The gateway knows no token ids of markers, so tokens are counted delta by delta: one that
    begins or ends reasoning is shared by characters.
    """

    def __init__(self, reasoning: TextParser | None, rest: TextParser | None) -> None:
        self._reasoning = reasoning
        self._rest = rest
        self.reasoning_tokens = None if reasoning is None else 0

    def feed(self, delta: TokenDelta) -> list[MessageDelta]:
        """Return what is certain by now; after the last delta, everything."""
        parts = self._separate(delta)
        if delta.finish_reason is None:
            return parts
        if self._reasoning is not None:
            parts += self._parse(self._reasoning.finish())
        return parts if self._rest is None else parts + self._rest.finish()

    def _separate(self, delta: TokenDelta) -> list[MessageDelta]:
        if self._reasoning is None:
            return self._parse([ContentDelta(delta.text)] if delta.text else [])
        before = self._reasoning.inside
        parts = self._reasoning.feed(delta.text)
        self.reasoning_tokens = (self.reasoning_tokens or 0) + _count_reasoning(
            delta, parts, began_inside=before, ended_inside=self._reasoning.inside
        )
        return self._parse(parts)

    def _parse(self, parts: Sequence[MessageDelta]) -> list[MessageDelta]:
        parsed: list[MessageDelta] = []
        for part in parts:
            if self._rest is not None and isinstance(part, ContentDelta):
                parsed += self._rest.feed(part.text)
            else:
                parsed.append(part)
        return parsed


def _count_reasoning(
    delta: TokenDelta, parts: Sequence[MessageDelta], *, began_inside: bool, ended_inside: bool
) -> int:
    """Return how many of a delta's tokens are reasoning."""
    tokens = len(delta.token_ids)
    if began_inside == ended_inside and not any(isinstance(p, ReasoningDelta) for p in parts):
        return tokens if began_inside else 0
    content = sum(len(part.text) for part in parts if isinstance(part, ContentDelta))
    return tokens - round(tokens * min(1.0, content / max(1, len(delta.text))))

"""`CompletionRenderer`: deltas as `text_completion` chunks, or as one `text_completion`."""

from collections.abc import Sequence

from engine import TokenDelta, TokenLogprob
from gateway.api.completions.response import CompletionChoiceBody
from gateway.api.logprobs import completion_logprobs
from gateway.api.streaming.renderer import Choice, ChoicesRenderer


class TextChoice(Choice):
    """One choice; `offset` is where the next token's text begins, in characters."""

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self.offset = 0
        self.texts: list[str] = []


class CompletionRenderer(ChoicesRenderer[TextChoice]):
    """Writes the answer of a completion request."""

    chunk_object = whole_object = "text_completion"

    def new_choice(self, index: int) -> TextChoice:
        """Begin a choice."""
        return TextChoice(index)

    def write_role(self, choice: TextChoice) -> bytes:  # noqa: ARG002 - a completion has no role
        """Return nothing: a completion begins with its text."""
        return b""

    def chunk_choice(
        self,
        choice: TextChoice,
        text: str | None,
        finish_reason: str | None,
        logprobs: Sequence[TokenLogprob],
    ) -> CompletionChoiceBody:
        """Return a choice as a chunk shows it; offsets count from the choice's beginning."""
        offset = choice.offset
        choice.offset += sum(len(token.token) for token in logprobs)
        return _choice_body(choice.index, text or "", finish_reason, logprobs, offset)

    def collect_text(self, choice: TextChoice, delta: TokenDelta) -> None:
        """Add a delta's text to a whole choice."""
        choice.texts.append(delta.text)

    def whole_choice(self, choice: TextChoice) -> CompletionChoiceBody:
        """Return a choice as a whole answer shows it."""
        text = "".join(choice.texts)
        return _choice_body(choice.index, text, choice.finish_reason, choice.logprobs, 0)


def _choice_body(
    index: int,
    text: str,
    finish_reason: str | None,
    logprobs: Sequence[TokenLogprob],
    offset: int,
) -> CompletionChoiceBody:
    return {
        "index": index,
        "text": text,
        "logprobs": completion_logprobs(logprobs, offset),
        "finish_reason": finish_reason,  # type: ignore[typeddict-item]
    }

"""`CompletionRenderer`: deltas as `text_completion` chunks, or as one `text_completion`."""

from engine import TokenDelta
from gateway.api.completions.response import CompletionChoiceBody
from gateway.api.logprobs import completion_logprobs
from gateway.api.streaming.renderer import Choice, ChoicesRenderer, Logprobs


class TextChoice(Choice):
    """One choice; `offset` is where the next token's text begins, in characters."""

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self._offset = 0
        self._texts: list[str] = []

    def chunk(
        self, text: str | None, finish_reason: str | None, logprobs: Logprobs = ()
    ) -> CompletionChoiceBody:
        """Return the choice as a chunk shows it; offsets count from the choice's beginning."""
        offset = self._offset
        self._offset += sum(len(token.token) for token in logprobs)
        return {
            "index": self.index,
            "text": text or "",
            "logprobs": completion_logprobs(logprobs, offset),
            "finish_reason": finish_reason,  # type: ignore[typeddict-item]
        }

    def collect(self, delta: TokenDelta) -> None:
        """Add a delta's text to the whole choice."""
        self._texts.append(delta.text)

    def whole(self) -> CompletionChoiceBody:
        """Return the choice as a whole answer shows it: as one chunk."""
        return self.chunk("".join(self._texts), self.finish_reason, self.logprobs)


class CompletionRenderer(ChoicesRenderer):
    """Writes the answer of a completion request."""

    chunk_object = whole_object = "text_completion"
    prompt_ids_in_choices = True

    def new_choice(self, index: int) -> TextChoice:
        """Begin a choice."""
        return TextChoice(index)

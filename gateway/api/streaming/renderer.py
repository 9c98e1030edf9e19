"""`Renderer`: what writes an endpoint's answer, and the base for answers with choices."""

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

from engine import TokenDelta, TokenLogprob
from gateway.api.schema import ResponseHead
from gateway.api.streaming.sse import DONE, frame
from gateway.api.streaming.usage import UsageBody, UsageTotals, usage_body
from gateway.errors import ApiError

Logprobs = Sequence[TokenLogprob]


class Renderer(Protocol):
    """Writes one answer: as frames while it is generated, or whole at its end.

    A request uses `feed`, `fail` and `end`, or `collect` and then `body`.
    """

    def feed(self, index: int, delta: TokenDelta) -> bytes:
        """Return the frames of a choice's delta: none, one or several."""

    def fail(self, error: ApiError) -> bytes:
        """Return the frame that says why nothing more comes."""

    def end(self) -> bytes:
        """Return the frame that ends every stream; empty where the endpoint has none."""

    def collect(self, index: int, delta: TokenDelta) -> None:
        """Add a choice's delta to the whole answer."""

    def body(self) -> Any:
        """Return the whole answer."""


class Choice(ABC):
    """One choice while it is generated, in the form of its endpoint."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.around_text = (b"", b"")  # the pieces of a text frame before and after the text
        self.logprobs: list[TokenLogprob] = []
        self.token_ids: list[int] = []  # where they were asked for
        self.prompt_token_ids: list[int] = []
        self.token_counts = (0, 0)  # of the prompt and so far, where each chunk has the usage
        self.finish_reason: str | None = None
        self.reasoning_tokens: int | None = None  # None for a model without

    @abstractmethod
    def chunk(self, text: str | None, finish_reason: str | None, logprobs: Logprobs = ()) -> Any:
        """Return the choice as a chunk shows it; `text` is None in the last chunk."""

    def first_chunks(self) -> list[Any]:
        """Return what comes before the first text."""
        return []

    def chunks(self, delta: TokenDelta) -> list[Any] | None:
        """Return the chunks of a delta's text; None where the text is all that there is."""
        return [self.chunk(delta.text, None, delta.logprobs)] if delta.logprobs else None

    @abstractmethod
    def collect(self, delta: TokenDelta) -> None:
        """Add a delta's text to the whole choice."""

    @abstractmethod
    def whole(self) -> Any:
        """Return the choice as a whole answer shows it."""

    def end(self, delta: TokenDelta) -> None:
        """Set why the choice ended, in the endpoint's words, and how much of it is reasoning."""
        self.finish_reason = delta.finish_reason


class ChoicesRenderer(ABC):
    """The base of renderers whose answers have `choices`.

    The frame of a text delta is one JSON string between two ready-made pieces.
    """

    chunk_object: ClassVar[str]
    whole_object: ClassVar[str]
    prompt_ids_in_choices: ClassVar[bool]  # where vLLM puts `prompt_token_ids`

    def __init__(
        self,
        head: ResponseHead,
        *,
        choices: int,
        streams: int,
        include_usage: bool,
        continuous_usage: bool = False,
        return_token_ids: bool = False,
    ) -> None:
        self._head = head
        self._chunk = head.fields(self.chunk_object)
        self._choices: dict[int, Choice] = {}
        self._totals = UsageTotals(choices)
        self._unfinished = streams
        self._usage: dict[str, UsageBody | None]
        self._usage = {"usage": None} if include_usage else {}  # null in all chunks but the last
        self._continuous_usage = continuous_usage
        self._return_token_ids = return_token_ids

    @abstractmethod
    def new_choice(self, index: int) -> Choice:
        """Begin a choice."""

    def feed(self, index: int, delta: TokenDelta) -> bytes:
        """Return the frames of a choice's delta."""
        choice = self._choices.get(index)
        begins = choice is None
        if choice is None:
            choice = self._choices[index] = self.new_choice(index)
        if self._continuous_usage:
            self._count(choice, delta)
        if begins or self._continuous_usage:
            before, after = self._frame(choice.chunk("\0", None)).split(b'"\\u0000"')
            choice.around_text = before, after
        data = self._first(choice, delta) if begins else b""
        data += self._text(choice, delta)
        return data if delta.finish_reason is None else data + self._close(choice, delta)

    def fail(self, error: ApiError) -> bytes:
        """Return an error as a frame."""
        return frame(error.body())

    def end(self) -> bytes:
        """Return the last frame of every stream."""
        return DONE

    def collect(self, index: int, delta: TokenDelta) -> None:
        """Add a choice's delta to the whole answer."""
        if index not in self._choices:
            self._choices[index] = self.new_choice(index)
        choice = self._choices[index]
        choice.collect(delta)
        choice.logprobs += delta.logprobs
        if self._return_token_ids:
            choice.token_ids += delta.token_ids
            choice.prompt_token_ids += _prompt_ids(delta)
        if delta.finish_reason is not None:
            choice.end(delta)
            self._totals.add(index, delta.usage, choice.reasoning_tokens)

    def body(self) -> dict[str, Any]:
        """Return the whole answer."""
        choices = [choice for _, choice in sorted(self._choices.items())]
        bodies = [self._add_ids(choice) for choice in choices]
        body = self._head.fields(self.whole_object) | {"choices": bodies}
        if self._return_token_ids and not self.prompt_ids_in_choices:
            body["prompt_token_ids"] = choices[0].prompt_token_ids
        return body | {"usage": self._totals.body()}

    def _add_ids(self, choice: Choice) -> Any:
        whole = choice.whole()
        if self._return_token_ids:
            whole["token_ids"] = choice.token_ids
            if self.prompt_ids_in_choices:
                whole["prompt_token_ids"] = choice.prompt_token_ids
        return whole

    def _count(self, choice: Choice, delta: TokenDelta) -> None:
        """Set the usage of the next chunks: as in vLLM, that of their choice."""
        prompt, completion = choice.token_counts
        prompt += len(_prompt_ids(delta))
        choice.token_counts = prompt, completion + len(delta.token_ids)
        self._usage = {"usage": usage_body(*choice.token_counts)}

    def _first(self, choice: Choice, delta: TokenDelta) -> bytes:
        ids = {}
        if self._return_token_ids and len(self._choices) == 1:
            ids = {"prompt_token_ids": _prompt_ids(delta)}
        return b"".join(self._frame(chunk, **ids) for chunk in choice.first_chunks())

    def _text(self, choice: Choice, delta: TokenDelta) -> bytes:
        chunks = choice.chunks(delta)
        if self._return_token_ids:
            chunks = self._with_token_ids(choice, delta, chunks)
        if chunks is not None:
            return b"".join(map(self._frame, chunks))
        if not delta.text:
            return b""
        before, after = choice.around_text
        return before + json.dumps(delta.text, ensure_ascii=False).encode() + after

    def _close(self, choice: Choice, delta: TokenDelta) -> bytes:
        choice.end(delta)
        self._totals.add(choice.index, delta.usage, choice.reasoning_tokens)
        self._unfinished -= 1
        last = self._frame(choice.chunk(None, choice.finish_reason))
        if self._unfinished or not self._usage:
            return last
        return last + frame(self._chunk | {"choices": [], "usage": self._totals.body()})

    def _with_token_ids(
        self, choice: Choice, delta: TokenDelta, chunks: list[Any] | None
    ) -> list[Any]:
        """Return a delta's chunks, one at least, of which the first has the token ids."""
        if chunks is None:
            chunks = [choice.chunk(delta.text, None)]
        first, *rest = chunks or [choice.chunk(None, None)]
        first["token_ids"] = list(delta.token_ids)
        if self.prompt_ids_in_choices and delta.report is not None:
            first["prompt_token_ids"] = _prompt_ids(delta)
        return [first, *rest]

    def _frame(self, choice: Any, **fields: Any) -> bytes:
        return frame({**self._chunk, **fields, "choices": [choice], **self._usage})


def _prompt_ids(delta: TokenDelta) -> list[int]:
    return [] if delta.report is None else list(delta.report.token_ids)

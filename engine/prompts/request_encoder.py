"""`RequestEncoder`: the prompts of requests as token ids, within the limits of one model."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from engine.errors import ContextLengthExceeded, InvalidRequest
from engine.prompts.limits import ContextLimits, prompt_param
from engine.prompts.renderer import ChatRenderer
from engine.prompts.truncation import truncate
from engine.types import Chat, GenerateRequest, ModelInfo, Prompt, PromptReport, SamplingParams

# Of the context, what `truncate` keeps for the answer at most: one part of so many.
_ANSWER_SHARE: Final = 4
_log: Final = logging.getLogger(__name__)


class Tokenizer(Protocol):
    """What is needed of a tokenizer: the number of its tokens, and the longest in characters."""

    vocabulary: int
    longest_token: int

    def encode(self, text: str, *, special: bool) -> Sequence[int]:
        """Return a text's tokens; `special` adds those that begin or end a text."""

    def encode_parts(self, parts: Sequence[str]) -> Sequence[int]:
        """Return the tokens of a text in parts, none of which is across two parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedPrompt:
    """A prompt as vLLM takes it.

    `token_ids` are the prompt's, of which there are `prompt_tokens`, and then the request's
    `emitted` ones. At most `max_new_tokens` may follow. The first delta has the `report`.
    """

    prompt_tokens: int
    token_ids: tuple[int, ...]
    max_new_tokens: int
    report: PromptReport | None = None


class RequestEncoder:
    """Encodes with one tokenizer, in one thread; a model without a template has no `renderer`."""

    def __init__(
        self, tokenizer: Tokenizer, renderer: ChatRenderer | None, model: ModelInfo
    ) -> None:
        self._tokenizer = tokenizer
        self._renderer = renderer
        self._limits = ContextLimits(
            max_model_len=model.max_model_len,
            longest_token=tokenizer.longest_token,
            max_prompt_len=model.max_prompt_len,
        )

    def encode(self, request: GenerateRequest) -> EncodedPrompt:
        """Return a request's prompt as token ids; raise InvalidRequest."""
        check_sampling(request.sampling, self._tokenizer.vocabulary)
        prompt, dropped = request.prompt, tuple[str, ...]()
        if isinstance(prompt, Chat) and request.truncate:
            prompt, dropped = self._truncated(prompt, request.sampling.max_tokens)
        ids, ignored = self.token_ids(prompt, refuse_hints=request.refuse_hints)
        if not ids:
            raise InvalidRequest("The prompt is empty.", param=prompt_param(prompt))
        emitted, wanted = request.emitted, request.sampling.max_tokens
        self._limits.check_prompt(prompt, len(ids) + len(emitted))
        limit = self._limits.completion_limit(
            prompt, len(ids), wanted, refuse=request.refuse_max_tokens_over_context
        )
        lowered = ("max_tokens",) if wanted is not None and limit < wanted else ()
        return EncodedPrompt(
            prompt_tokens=len(ids),
            token_ids=(*ids, *emitted),
            max_new_tokens=max(0, limit - len(emitted)),
            report=_report((*dropped, *ignored, *lowered), ids if request.report_prompt else ()),
        )

    def token_ids(
        self, prompt: Prompt, *, special: bool = True, refuse_hints: bool = False
    ) -> tuple[tuple[int, ...], tuple[str, ...]]:
        """Return a prompt's tokens, and the hints that its template does not read.

        `special` is for texts: a chat template writes its own. Raises InvalidRequest.
        """
        if isinstance(prompt, tuple):
            check_token_ids(prompt, "prompt", self._tokenizer.vocabulary)
            ids: Sequence[int] = prompt
            ignored: tuple[str, ...] = ()
        elif isinstance(prompt, Chat):
            ids, ignored = self._chat_ids(prompt, refuse_hints=refuse_hints)
        else:
            self._limits.check_text(prompt, prompt)
            ids, ignored = self._tokenized([prompt], "prompt", special=special), ()
        return tuple(ids), ignored

    def _chat_ids(self, chat: Chat, *, refuse_hints: bool) -> tuple[Sequence[int], tuple[str, ...]]:
        if self._renderer is None:
            raise InvalidRequest("This model has no chat template.", param="messages")
        rendered = self._renderer.render(chat, refuse_hints=refuse_hints)
        self._limits.check_text(rendered.text, chat)
        return self._tokenized(rendered.parts, "messages", special=False), rendered.ignored

    def _tokenized(self, parts: Sequence[str], param: str, *, special: bool) -> Sequence[int]:
        tokenizer = self._tokenizer
        try:
            if len(parts) == 1:
                return tokenizer.encode(parts[0], special=special)
            return tokenizer.encode_parts(parts)
        except Exception as error:
            _log.info("A prompt could not be tokenized: %s", type(error).__name__)
            raise InvalidRequest(
                "The text cannot be tokenized; it must be valid Unicode.", param=param
            ) from error

    def _truncated(self, chat: Chat, max_tokens: int | None) -> tuple[Chat, tuple[str, ...]]:
        """Return a conversation that leaves room for an answer, and what was dropped for it."""
        limits = self._limits
        share = limits.max_model_len // _ANSWER_SHARE
        longest = min(limits.longest_prompt, limits.max_model_len - min(max_tokens or share, share))

        def fits(shorter: Chat) -> bool:
            try:
                ids, _ = self.token_ids(shorter)
            except ContextLengthExceeded:
                return False
            return len(ids) <= longest

        return truncate(chat, fits)


def _report(ignored: tuple[str, ...], token_ids: Sequence[int]) -> PromptReport | None:
    if not ignored and not token_ids:
        return None
    return PromptReport(ignored=ignored, token_ids=tuple(token_ids))


def check_token_ids(ids: Iterable[int], param: str, vocabulary: int) -> None:
    """Raise InvalidRequest for ids that are not in a vocabulary of this size."""
    if not all(0 <= token < vocabulary for token in ids):
        raise InvalidRequest(
            f"Invalid '{param}': token ids of this model are from 0 to {vocabulary - 1}.", param
        )


def check_sampling(sampling: SamplingParams, vocabulary: int) -> None:
    """Raise InvalidRequest for token ids that vLLM 0.13.0 and 0.16.0 do not check."""
    check_token_ids(sampling.stop_token_ids, "stop_token_ids", vocabulary)
    check_token_ids(sampling.logit_bias or (), "logit_bias", vocabulary)

"""`PromptEncoder`: prompts as token ids, by a model's tokenizer and chat template."""

import asyncio
import copy
import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from engine.errors import ContextLengthExceeded, GenerationFailed, InvalidRequest
from engine.prompts.chat_template import template_arguments, template_variables
from engine.types import Chat, GenerateRequest, ModelInfo, Prompt, SamplingParams, Tokens

T = TypeVar("T")

# A character has at most four tokens of a byte-level vocabulary; twice as many, to be sure.
_CHARACTER_TOKENS: Final = 8
LARGE_PROMPT: Final = 20_000  # characters, or token ids
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedPrompt:
    """A prompt as vLLM takes it.

    `token_ids` are the prompt's, of which there are `prompt_tokens`, and then the request's
    `emitted` ones. At most `max_new_tokens` may follow.
    """

    prompt_tokens: int
    token_ids: tuple[int, ...]
    max_new_tokens: int


class PromptEncoder:
    """Encodes the prompts of one model in threads beside the event loop.

    Large prompts have a thread and a tokenizer of their own, so that small ones do not wait for
    them: transformers' tokenizers change their state while they encode, and release the GIL.
    """

    def __init__(
        self, tokenizer: Any, max_model_len: int, max_prompt_len: int | None = None
    ) -> None:
        self._small, self._large = (
            (_Encoder(own, max_model_len, max_prompt_len), ThreadPoolExecutor(1, f"prompt-{name}"))
            for own, name in ((tokenizer, "small"), (copy.deepcopy(tokenizer), "large"))
        )

    @classmethod
    def load(cls, folder: Path, model: ModelInfo) -> "PromptEncoder":
        """Read a model's tokenizer and chat template. Takes seconds, so call it in a thread."""
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(str(folder))
        return cls(tokenizer, model.max_model_len, model.max_prompt_len)

    async def encode(self, request: GenerateRequest) -> EncodedPrompt:
        """Return a request's prompt as token ids.

        Raises InvalidRequest, and GenerationFailed where `emitted` ends within a character.
        """
        return await self._in_thread(_Encoder.encode_request, request.prompt, request)

    async def tokenize(self, text: str | Chat, *, add_special_tokens: bool) -> Tokens:
        """Return the tokens of a text or of a rendered conversation; raise InvalidRequest."""
        return await self._in_thread(_Encoder.tokenize, text, text, add_special_tokens)

    async def detokenize(self, token_ids: tuple[int, ...]) -> str:
        """Return the text of these tokens, special ones too; raise InvalidRequest."""
        return await self._in_thread(_Encoder.detokenize, token_ids, token_ids)

    def close(self) -> None:
        """Stop the threads, after the prompts that they encode."""
        for _, pool in (self._small, self._large):
            pool.shutdown(wait=False)

    async def _in_thread(self, work: Callable[..., T], prompt: Prompt, *arguments: Any) -> T:
        encoder, pool = self._large if _size(prompt) > LARGE_PROMPT else self._small
        return await asyncio.get_running_loop().run_in_executor(pool, work, encoder, *arguments)


def _size(prompt: Prompt) -> int:
    """Return the characters of a prompt, or its token ids."""
    if not isinstance(prompt, Chat):
        return len(prompt)
    contents = (message.get("content") for message in prompt.messages)
    return sum(len(content) for content in contents if isinstance(content, str))


class _Encoder:
    """Encodes with one tokenizer, in one thread."""

    def __init__(self, tokenizer: Any, max_model_len: int, max_prompt_len: int | None) -> None:
        self._tokenizer = tokenizer
        self._vocabulary = len(tokenizer)
        self._longest_token = max(map(len, tokenizer.get_vocab()))
        self._max_model_len = max_model_len
        self._max_prompt_len = max_prompt_len

    def tokenize(self, text: str | Chat, special: bool) -> Tokens:
        """Return the tokens of a text or of a rendered conversation; raise InvalidRequest."""
        param = "messages" if isinstance(text, Chat) else "prompt"
        rendered = self._render(text) if isinstance(text, Chat) else text
        ids = tuple(self._encode(rendered, param, special=special))
        return Tokens(ids=ids, strings=tuple(self._tokenizer.convert_ids_to_tokens(ids)))

    def detokenize(self, token_ids: tuple[int, ...]) -> str:
        """Return the text of these tokens; raise InvalidRequest for an unknown one."""
        check_token_ids(token_ids, "tokens", self._vocabulary)
        return str(self._tokenizer.decode(list(token_ids), skip_special_tokens=False))

    def encode_request(self, request: GenerateRequest) -> EncodedPrompt:
        """Return a request's prompt as token ids; raise InvalidRequest."""
        prompt, emitted = request.prompt, request.emitted
        ids = self._token_ids(prompt)
        check_sampling(request.sampling, self._vocabulary)
        self._require_whole_characters(emitted)
        check_prompt_length(prompt, len(ids) + len(emitted), self._max_prompt_len)
        limit = completion_limit(prompt, len(ids), request.sampling.max_tokens, self._max_model_len)
        return EncodedPrompt(
            prompt_tokens=len(ids),
            token_ids=(*ids, *emitted),
            max_new_tokens=max(0, limit - len(emitted)),
        )

    def _require_whole_characters(self, emitted: tuple[int, ...]) -> None:
        """Raise GenerationFailed where the last character is not whole.

        vLLM would return the prompt, and everything emitted, as new text.
        """
        tail = list(emitted[-_CHARACTER_TOKENS:])
        if tail and str(self._tokenizer.decode(tail)).endswith("\ufffd"):
            raise GenerationFailed("This stream cannot go on: its last character was not whole.")

    def _token_ids(self, prompt: Prompt) -> Sequence[int]:
        if isinstance(prompt, tuple):
            check_token_ids(prompt, "prompt", self._vocabulary)
            ids: Sequence[int] = prompt
        elif isinstance(prompt, str):
            ids = self._encode(prompt, "prompt", special=True)
        else:
            # The template writes the special tokens itself.
            ids = self._encode(self._render(prompt), "messages", special=False)
        if not ids:
            raise InvalidRequest("The prompt is empty.", param=_param(prompt))
        return ids

    def _encode(self, text: str, param: str, *, special: bool) -> Sequence[int]:
        check_text_length(text, param, self._max_model_len, self._longest_token)
        try:
            ids: list[int] = self._tokenizer.encode(text, add_special_tokens=special)
        except Exception as error:
            _log.info("A prompt could not be tokenized: %s", type(error).__name__)
            raise InvalidRequest(
                "The text cannot be tokenized; it must be valid Unicode.", param=param
            ) from error
        return ids

    def _render(self, chat: Chat) -> str:
        if self._tokenizer.chat_template is None:
            raise InvalidRequest("This model has no chat template.", param="messages")
        tools = [dict(tool) for tool in chat.tools] or None
        variables = template_variables(self._tokenizer.get_chat_template(tools=tools))
        arguments = template_arguments(chat, variables)
        try:
            text = self._tokenizer.apply_chat_template(
                [dict(message) for message in chat.messages],
                tools=tools,
                add_generation_prompt=chat.add_generation_prompt,
                tokenize=False,
                **arguments,
            )
        except Exception as error:
            # A template is a program that comes with the model: it may raise anything.
            _log.info("A chat template refused the messages: %s", type(error).__name__)
            raise InvalidRequest(
                "The model's chat template cannot render these messages; "
                "check their roles, their order and that each content is a text.",
                param="messages",
            ) from error
        return str(text)


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


def check_text_length(text: str, param: str, max_model_len: int, longest_token: int) -> None:
    """Raise ContextLengthExceeded for a text that cannot fit, before it is tokenized."""
    if len(text) > max_model_len * longest_token:
        raise ContextLengthExceeded(
            f"This model's context is {max_model_len} tokens, and {len(text)} characters are more "
            "than fit into it. Shorten the text.",
            param=param,
        )


def check_prompt_length(prompt: Prompt, tokens: int, limit: int | None) -> None:
    """Raise ContextLengthExceeded for a prompt that is longer than any compiled length."""
    if limit is not None and tokens > limit:
        raise ContextLengthExceeded(
            f"This model's engine takes prompts of {limit} tokens; this one has {tokens}. "
            "Shorten the prompt.",
            param=_param(prompt),
        )


def completion_limit(
    prompt: Prompt, prompt_tokens: int, max_tokens: int | None, max_model_len: int
) -> int:
    """Return the tokens that a completion may have; raise ContextLengthExceeded at no fit.

    `max_tokens` of None asks for the rest of the context, and for one token at least.
    """
    wanted = 1 if max_tokens is None else max_tokens
    if prompt_tokens + wanted > max_model_len:
        raise ContextLengthExceeded(
            f"This model's context is {max_model_len} tokens; the prompt has {prompt_tokens} and "
            f"{wanted} more were requested. Shorten the prompt or lower max_tokens.",
            param=_param(prompt),
        )
    return max_model_len - prompt_tokens if max_tokens is None else max_tokens


def _param(prompt: Prompt) -> str:
    return "messages" if isinstance(prompt, Chat) else "prompt"

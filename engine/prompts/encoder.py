"""PromptEncoder to token ids: tokenizer, chat template, context length. The importer of transformers."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from engine.errors import ContextLengthExceeded, GenerationFailed, InvalidRequest
from engine.prompts.chat_template import arguments, variables
from engine.types import Chat, GenerateRequest, ModelInfo, Prompt, Tokens

T = TypeVar("T")

# How many tokens of a byte-level vocabulary a character has at most, and a few more.
_CHARACTER: Final = 8
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedPrompt:
    """A prompt as the engine takes it: its ids, and how many tokens may follow `emitted`."""

    prompt_tokens: int
    token_ids: tuple[int, ...]
    room: int


class PromptEncoder:
    """Prepares the prompts of one model beside the event loop."""

    def __init__(
        self, tokenizer: Any, max_model_len: int, max_prompt_len: int | None = None
    ) -> None:
        self._tokenizer = tokenizer
        self._vocabulary = len(tokenizer)
        self._limit = max_model_len
        self._prompt_limit = max_prompt_len
        # One thread: transformers' tokenizers change their own state while they encode.
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="prompt")

    @classmethod
    def load(cls, folder: Path, model: ModelInfo) -> "PromptEncoder":
        """Read a model's tokenizer and chat template; takes seconds, so call it in a thread."""
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(str(folder))
        return cls(tokenizer, model.max_model_len, model.max_prompt_len)

    async def prepare(self, request: GenerateRequest) -> EncodedPrompt:
        """Render, tokenize and measure one prompt; raises InvalidRequest and nothing else."""
        return await self._beside(self._prepare, request)

    async def tokenize(self, text: str | Chat, *, add_special_tokens: bool) -> Tokens:
        """Give the tokens of a text or of a rendered conversation; raises InvalidRequest."""
        return await self._beside(self._tokenize, text, add_special_tokens)

    async def detokenize(self, token_ids: tuple[int, ...]) -> str:
        """Give the text of these tokens, special ones too; raises InvalidRequest."""
        return await self._beside(self._detokenize, token_ids)

    def close(self) -> None:
        """Let the thread go."""
        self._pool.shutdown(wait=False)

    async def _beside(self, work: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)

    def _tokenize(self, text: str | Chat, special: bool) -> Tokens:
        chat = isinstance(text, Chat)
        written = self._render(text) if isinstance(text, Chat) else text
        ids = tuple(self._encode(written, "messages" if chat else "prompt", special=special))
        return Tokens(ids=ids, strings=tuple(self._tokenizer.convert_ids_to_tokens(ids)))

    def _detokenize(self, token_ids: tuple[int, ...]) -> str:
        ids = list(self._known(token_ids, "tokens"))
        return str(self._tokenizer.decode(ids, skip_special_tokens=False))

    def _prepare(self, request: GenerateRequest) -> EncodedPrompt:
        ids = self._token_ids(request.prompt)
        wanted = request.sampling.max_tokens
        self._require_whole_characters(request.emitted)
        check_prompt(request.prompt, len(ids) + len(request.emitted), self._prompt_limit)
        space = room_for(request.prompt, len(ids), wanted, self._limit)
        return EncodedPrompt(
            prompt_tokens=len(ids),
            token_ids=(*ids, *request.emitted),
            room=max(0, space - len(request.emitted)),
        )

    def _require_whole_characters(self, emitted: tuple[int, ...]) -> None:
        """Refuse to go on from half a character: vLLM would give prompt and all again as text."""
        if emitted and str(self._tokenizer.decode(list(emitted[-_CHARACTER:]))).endswith("\ufffd"):
            raise GenerationFailed("This stream cannot go on: its last character was not whole.")

    def _token_ids(self, prompt: Prompt) -> Sequence[int]:
        if isinstance(prompt, tuple):
            ids: Sequence[int] = self._known(prompt, "prompt")
        elif isinstance(prompt, str):
            ids = self._encode(prompt, "prompt", special=True)
        else:
            # The template writes the special tokens itself.
            ids = self._encode(self._render(prompt), "messages", special=False)
        if not ids:
            raise InvalidRequest("The prompt is empty.", param=_param(prompt))
        return ids

    def _known(self, ids: tuple[int, ...], param: str) -> tuple[int, ...]:
        if all(0 <= token < self._vocabulary for token in ids):
            return ids
        raise InvalidRequest(
            f"Token ids must be from 0 to {self._vocabulary - 1} for this model.", param=param
        )

    def _encode(self, text: str, param: str, *, special: bool) -> Sequence[int]:
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
        reads = variables(self._tokenizer.get_chat_template(tools=tools))
        told = arguments(chat, reads)
        try:
            text = self._tokenizer.apply_chat_template(
                [dict(message) for message in chat.messages],
                tools=tools,
                add_generation_prompt=chat.add_generation_prompt,
                tokenize=False,
                **told,
            )
        except Exception as error:
            # A template is a program that the model brings: it may raise anything at all.
            _log.info("A chat template refused the messages: %s", type(error).__name__)
            raise InvalidRequest(
                "The model's chat template cannot render these messages; "
                "check their roles, their order and that each content is a text.",
                param="messages",
            ) from error
        return str(text)


def check_prompt(prompt: Prompt, tokens: int, limit: int | None) -> None:
    """Raise ContextLengthExceeded for what is longer than any compiled prompt."""
    if limit is not None and tokens > limit:
        raise ContextLengthExceeded(
            f"This model's engine takes prompts of {limit} tokens; this one has {tokens}. "
            "Shorten the prompt.",
            param=_param(prompt),
        )


def room_for(prompt: Prompt, prompt_tokens: int, max_tokens: int | None, limit: int) -> int:
    """Give the tokens a completion may have; raises ContextLengthExceeded where they do not fit.

    `max_tokens` of None asks for the rest of the context, and for one token at least.
    """
    wanted = 1 if max_tokens is None else max_tokens
    if prompt_tokens + wanted > limit:
        raise ContextLengthExceeded(
            f"This model's context is {limit} tokens; the prompt has {prompt_tokens} and "
            f"{wanted} more were requested. Shorten the prompt or lower max_tokens.",
            param=_param(prompt),
        )
    return limit - prompt_tokens if max_tokens is None else max_tokens


def _param(prompt: Prompt) -> str:
    return "messages" if isinstance(prompt, Chat) else "prompt"

"""`PromptEncoder`: prompts as token ids, by a model's tokenizer and chat template."""

import asyncio
import copy
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from engine.errors import GenerationFailed
from engine.prompts.control_tokens import ControlTokens
from engine.prompts.renderer import ChatRenderer
from engine.prompts.request_encoder import EncodedPrompt, RequestEncoder, check_token_ids
from engine.prompts.template import ChatTemplate
from engine.types import Chat, GenerateRequest, ModelInfo, Prompt, Tokens

T = TypeVar("T")

# A character has at most four tokens of a byte-level vocabulary; twice as many, to be sure.
_CHARACTER_TOKENS: Final = 8
LARGE_PROMPT: Final = 20_000  # characters, or token ids
_TOOL_CHARACTERS: Final = 500  # of a function with its schema, about
_log: Final = logging.getLogger(__name__)


class PromptEncoder:
    """Encodes the prompts of one model in threads beside the event loop.

    Large prompts have a thread and a tokenizer of their own, so that small ones do not wait for
    them: transformers' tokenizers change their state while they encode, and release the GIL.
    """

    def __init__(self, tokenizer: Any, model: ModelInfo) -> None:
        renderer = _renderer(tokenizer)
        self._small, self._large = (
            (_Encoder(own, renderer, model), ThreadPoolExecutor(1, f"prompt-{name}"))
            for own, name in ((tokenizer, "small"), (copy.deepcopy(tokenizer), "large"))
        )

    @classmethod
    def load(cls, folder: Path, model: ModelInfo) -> "PromptEncoder":
        """Read a model's tokenizer and chat template. Takes seconds, so call it in a thread."""
        from transformers import AutoTokenizer

        return cls(AutoTokenizer.from_pretrained(str(folder)), model)

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


def _renderer(tokenizer: Any) -> ChatRenderer | None:
    if tokenizer.chat_template is None:
        return None
    template = ChatTemplate(tokenizer.chat_template, tokenizer.special_tokens_map)
    renderer = ChatRenderer(template, ControlTokens.of(tokenizer, template.text))
    _log.info("What the chat template does: %s", renderer.capabilities.describe())
    return renderer


def _size(prompt: Prompt) -> int:
    """Return about how many characters a prompt has, or token ids."""
    if not isinstance(prompt, Chat):
        return len(prompt)
    contents = (message.get("content") for message in prompt.messages)
    texts = sum(len(content) for content in contents if isinstance(content, str))
    return texts + _TOOL_CHARACTERS * len(prompt.tools)


class _Tokenizer:
    """A tokenizer of transformers."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.vocabulary = len(tokenizer)
        self.longest_token = max(map(len, tokenizer.get_vocab()))
        self._line = self.encode("\n", special=False)
        plain = self.encode("|x", special=False)
        # Some tokenizers put a space before each text; a part after a line has none.
        self._adds_prefix = self.encode("\n|x", special=False) != [*self._line, *plain]

    def encode(self, text: str, *, special: bool) -> list[int]:
        """Return a text's tokens."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=special)
        return ids

    def encode_parts(self, parts: Sequence[str]) -> list[int]:
        """Return the tokens of a text in parts."""
        ids = self.encode(parts[0], special=False)
        line = self._line if self._adds_prefix else []
        known: dict[str, list[int]] = {}  # hostile texts repeat one token
        for part in parts[1:]:
            if part not in known:
                text = "\n" + part if line else part
                known[part] = self.encode(text, special=False)[len(line) :]
            ids += known[part]
        return ids


class _Encoder:
    """Encodes with one tokenizer, in one thread."""

    def __init__(self, tokenizer: Any, renderer: ChatRenderer | None, model: ModelInfo) -> None:
        self._tokenizer = tokenizer
        self._requests = RequestEncoder(_Tokenizer(tokenizer), renderer, model)

    def tokenize(self, text: str | Chat, special: bool) -> Tokens:
        """Return the tokens of a text or of a rendered conversation; raise InvalidRequest."""
        ids, _ = self._requests.token_ids(text, special=special)
        return Tokens(ids=ids, strings=tuple(self._tokenizer.convert_ids_to_tokens(ids)))

    def detokenize(self, token_ids: tuple[int, ...]) -> str:
        """Return the text of these tokens; raise InvalidRequest for an unknown one."""
        check_token_ids(token_ids, "tokens", len(self._tokenizer))
        return str(self._tokenizer.decode(list(token_ids), skip_special_tokens=False))

    def encode_request(self, request: GenerateRequest) -> EncodedPrompt:
        """Return a request's prompt as token ids; raise InvalidRequest."""
        self._require_whole_characters(request.emitted)
        return self._requests.encode(request)

    def _require_whole_characters(self, emitted: tuple[int, ...]) -> None:
        """Raise GenerationFailed where the last character is not whole.

        vLLM would return the prompt, and everything emitted, as new text.
        """
        tail = list(emitted[-_CHARACTER_TOKENS:])
        if tail and str(self._tokenizer.decode(tail)).endswith("\ufffd"):
            raise GenerationFailed("This stream cannot go on: its last character was not whole.")

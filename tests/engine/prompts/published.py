"""Published tokenizers with their chat templates, and prompts that they make."""

import asyncio
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from engine import DEFAULT_MODEL, Chat, ModelInfo, resolve_model
from engine.prompts.encoder import PromptEncoder
from gateway.serving.environment import cache_folder
from tests.tools import unavailable

_PACKAGES: Final = Path(__file__).parent / "tokenizers" / "node_modules" / "@lenml"
# The format of each family's calls.
FAMILIES: Final = {
    "llama3": "llama3_json",
    "llama3_1": "llama3_json",
    "llama3_2": "llama3_json",
    "qwen2_5": "hermes",
    "qwen3": "hermes",
    "mistral_nemo": "mistral",
    "gemma3": "plain_json",
    "smollm2": "hermes",
}


def folder_of(name: str) -> Path:
    """Return the folder of a tokenizer; skip or fail the test without it."""
    if name == "smollm2":
        return resolve_model(DEFAULT_MODEL, cache=cache_folder(), progress=lambda _: None)
    folder = _PACKAGES / f"tokenizer-{name}" / "models"
    if not folder.is_dir():
        unavailable("the published tokenizers are not installed: run `make test-templates`")
    return folder


@lru_cache
def load_tokenizer(name: str) -> Any:
    """Read a tokenizer as transformers does."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(str(folder_of(name)))


@lru_cache
def load_encoder(name: str) -> PromptEncoder:
    """Build the encoder of a tokenizer, with a context that no test fills."""
    return PromptEncoder(load_tokenizer(name), ModelInfo(id=name, max_model_len=100_000))


def token_ids(name: str, chat: Chat) -> tuple[int, ...]:
    """Return the prompt of a conversation."""
    encoder = load_encoder(name)
    return asyncio.run(encoder.tokenize(chat, add_special_tokens=False)).ids


def rendered(name: str, chat: Chat) -> str:
    """Return the prompt of a conversation as text, special tokens too."""
    return str(load_tokenizer(name).decode(token_ids(name, chat), skip_special_tokens=False))

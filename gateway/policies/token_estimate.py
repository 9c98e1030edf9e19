"""Estimates of a request's tokens, before its tokenizer has seen it."""

from typing import Final

from engine import Chat, GenerateRequest, Prompt

CHARACTERS_PER_TOKEN: Final = 4  # of English text, by the common tokenizers
MESSAGE_CHARACTERS: Final = 8  # that a chat template adds to each message
UNBOUNDED_TOKENS: Final = 512  # of an answer without a limit of its own


def estimated_prompt_tokens(request: GenerateRequest) -> int:
    """Return the estimate that a request carries, or estimate its prompt now."""
    estimated = request.estimated_prompt_tokens
    return estimate_prompt_tokens(request.prompt) if estimated is None else estimated


def estimate_prompt_tokens(prompt: Prompt) -> int:
    """Estimate the tokens of a prompt; token ids are counted."""
    if isinstance(prompt, tuple):
        return len(prompt)
    characters = len(prompt) if isinstance(prompt, str) else _characters(prompt)
    return 1 + characters // CHARACTERS_PER_TOKEN


def _characters(chat: Chat) -> int:
    contents = (message.get("content") for message in chat.messages)
    texts = sum(len(content) for content in contents if isinstance(content, str))
    tools = sum(len(str(tool)) for tool in chat.tools)
    return texts + MESSAGE_CHARACTERS * len(chat.messages) + tools


def max_output_tokens(request: GenerateRequest) -> int:
    """Estimate the most tokens that a completion may have."""
    return request.sampling.max_tokens or UNBOUNDED_TOKENS

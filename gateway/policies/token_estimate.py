"""What a request will take, estimated before its tokenizer has seen it."""

from typing import Any, Final

from engine import Chat, GenerateRequest, Prompt

CHARACTERS_PER_TOKEN: Final = 4  # of English text, by the common tokenizers
UNBOUNDED_TOKENS: Final = 512  # of an answer that has no limit of its own


def prompt_tokens(request: GenerateRequest) -> int:
    """Give what was estimated of a request's prompt, or estimate_prompt_tokens now."""
    estimated = request.estimated_prompt_tokens
    return estimate_prompt_tokens(request.prompt) if estimated is None else estimated


def estimate_prompt_tokens(prompt: Prompt) -> int:
    """Guess a prompt's tokens; of a prompt that is ids, count them."""
    if isinstance(prompt, tuple):
        return len(prompt)
    characters = len(prompt) if isinstance(prompt, str) else _characters(prompt)
    return 1 + characters // CHARACTERS_PER_TOKEN


def _characters(chat: Chat) -> int:
    return sum(_length(message.get("content")) + 8 for message in chat.messages) + sum(
        len(str(tool)) for tool in chat.tools
    )


def _length(content: Any) -> int:
    return len(content) if isinstance(content, str) else 0


def answer_tokens(request: GenerateRequest) -> int:
    """Guess what a completion may answer at most."""
    return request.sampling.max_tokens or UNBOUNDED_TOKENS

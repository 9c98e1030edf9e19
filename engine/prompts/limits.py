"""`ContextLimits`: how long a prompt and its completion may be.

Agents that compact a conversation recognise OpenAI's sentence for one that is too long.
"""

import math
from dataclasses import dataclass

from engine.errors import ContextLengthExceeded
from engine.types import Chat, Prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextLimits:
    """The context in tokens, the longest prompt where that is less, and the longest token.

    `longest_token` is in characters.
    """

    max_model_len: int
    longest_token: int
    max_prompt_len: int | None = None

    @property
    def longest_prompt(self) -> int:
        """The most tokens of a prompt, emitted ones included."""
        return self.max_prompt_len or self.max_model_len

    def check_text(self, text: str, prompt: Prompt) -> None:
        """Raise ContextLengthExceeded for a text that cannot fit, before it is tokenized."""
        least = math.ceil(len(text) / self.longest_token)
        if least > self.max_model_len:
            raise self._too_long(prompt, f"at least {least} tokens ({len(text)} characters)")

    def check_prompt(self, prompt: Prompt, tokens: int) -> None:
        """Raise ContextLengthExceeded for a prompt with this many tokens that is too long."""
        if tokens > self.longest_prompt:
            raise self._too_long(prompt, f"{tokens} tokens")

    def completion_limit(
        self, prompt: Prompt, prompt_tokens: int, max_tokens: int | None, *, refuse: bool = False
    ) -> int:
        """Return the tokens that a completion may have: `max_tokens`, or what fits if it is less.

        Raise ContextLengthExceeded where not one fits, or to `refuse` more than fits.
        """
        room = self.max_model_len - prompt_tokens
        if room < 1 and max_tokens != 0:
            raise self._too_long(prompt, f"{prompt_tokens} tokens, and an answer needs at least 1")
        if max_tokens is None or max_tokens <= room:
            return room if max_tokens is None else max_tokens
        if refuse:
            raise ContextLengthExceeded(
                f"Invalid 'max_tokens': {max_tokens} is more than fits: of the context of "
                f"{self.max_model_len} tokens the prompt takes {prompt_tokens}. "
                f"Lower it to {room}.",
                param="max_tokens",
            )
        return room

    def _too_long(self, prompt: Prompt, length: str) -> ContextLengthExceeded:
        param = prompt_param(prompt)
        kind = " for prompts" if self.max_prompt_len else ""
        return ContextLengthExceeded(
            f"This model's maximum context length is {self.longest_prompt} tokens{kind}. However, "
            f"your {param} resulted in {length}. Please reduce the length of the {param}.",
            param=param,
        )


def prompt_param(prompt: Prompt) -> str:
    """Return the name of the parameter that a prompt comes from."""
    return "messages" if isinstance(prompt, Chat) else "prompt"

"""`UsageTotals`: the token counts of a request with several choices."""

from dataclasses import dataclass
from typing import Any

from engine import Usage


@dataclass(slots=True)
class UsageTotals:
    """Token counts of a request: `choices` completions of each prompt, prompts counted once."""

    choices: int
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int | None = None

    def add(self, index: int, usage: Usage | None) -> None:
        """Count a completion that ended."""
        assert usage is not None  # the last delta has it, by the laws of an Engine
        self.completion_tokens += usage.completion_tokens
        if usage.reasoning_tokens is not None:
            self.reasoning_tokens = (self.reasoning_tokens or 0) + usage.reasoning_tokens
        if index % self.choices == 0:
            self.prompt_tokens += usage.prompt_tokens
            self.cached_tokens += usage.cached_tokens

    def body(self) -> dict[str, Any]:
        """Write the counts as OpenAI shows them."""
        thought = self.reasoning_tokens
        details = {} if thought is None else {"reasoning_tokens": thought}
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": self.cached_tokens},
        } | ({"completion_tokens_details": details} if details else {})

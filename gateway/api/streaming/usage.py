"""`UsageTotals`: the token counts of a request, over all its choices."""

from dataclasses import dataclass
from typing import NotRequired

from typing_extensions import TypedDict

from engine import Usage


class CachedTokens(TypedDict):
    """How many tokens of the prompts came from the prefix cache."""

    cached_tokens: int


class ReasoningTokens(TypedDict):
    """How many tokens of the completions are reasoning."""

    reasoning_tokens: int


class UsageBody(TypedDict):
    """The `usage` of a chat or a completion."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: CachedTokens
    completion_tokens_details: NotRequired[ReasoningTokens]


@dataclass(slots=True)
class UsageTotals:
    """Token counts of a request with `choices` completions for each prompt; prompts count once."""

    choices: int
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int | None = None

    def add(self, index: int, usage: Usage | None, reasoning_tokens: int | None = None) -> None:
        """Count a completion that ended; None is a model without reasoning."""
        assert usage is not None  # the last delta has it, by the laws of an Engine
        self.completion_tokens += usage.completion_tokens
        if reasoning_tokens is not None:
            self.reasoning_tokens = (self.reasoning_tokens or 0) + reasoning_tokens
        if index % self.choices == 0:
            self.prompt_tokens += usage.prompt_tokens
            self.cached_tokens += usage.cached_tokens

    def body(self) -> UsageBody:
        """Return the counts as OpenAI writes them."""
        usage = usage_body(self.prompt_tokens, self.completion_tokens, self.cached_tokens)
        if self.reasoning_tokens is not None:
            usage["completion_tokens_details"] = {"reasoning_tokens": self.reasoning_tokens}
        return usage


def usage_body(prompt: int, completion: int, cached: int = 0) -> UsageBody:
    """Return token counts as OpenAI writes them."""
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached},
    }

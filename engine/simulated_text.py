"""What the simulated engine says: words that depend on the prompt and the position alone."""

import re
from dataclasses import dataclass
from hashlib import blake2b
from math import log
from typing import Final

from engine.devices import Simulated
from engine.simulated_json import example
from engine.types import Chat, FinishReason, Prompt, SamplingParams, TokenDelta, TokenLogprob

# Neurons, rivers and some characters of more than one byte.
WORDS: Final = (
    "the", "river", "carries", "light", "over", "stones", "and", "every", "token", "finds",
    "its", "way", "through", "a", "quiet", "valley", "café", "naïve", "Grüße", "日本",
    "signals", "cross", "small", "bridges", "while", "morning", "rises", "🌊", "slowly", "again",
    "counting", "leaves",
)  # fmt: skip
_TOKEN: Final = re.compile(r"\s*\S+|\s+")


def encode(text: str) -> list[str]:
    """Cut a text into its simulated tokens: words with the white space before them."""
    return _TOKEN.findall(text)


def prompt_text(prompt: Prompt) -> str:
    """Render a prompt as one text; token ids become words."""
    if isinstance(prompt, str):
        return prompt
    if isinstance(prompt, Chat):
        lines = (f"<{m['role']}> {m.get('content') or ''}" for m in prompt.messages)
        return "\n".join((*lines, "<assistant>"))
    return " ".join(f"#{token}" for token in prompt)


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole completion, known in advance: the words, their ids, and why they end."""

    words: tuple[str, ...]
    finish_reason: FinishReason

    @classmethod
    def to(cls, prompt: str, sampling: SamplingParams, room: int, device: Simulated) -> "Reply":
        """Make the reply to a prompt, of `room` tokens at most."""
        script = next((s for s in device.scripts if s.when in prompt), None)
        if script is not None:
            return cls._bounded(encode(script.reply), room, sampling)
        if sampling.structured is not None:
            return cls._bounded(encode(example(sampling.structured.json_schema)), room, sampling)
        key = f"{prompt}\0{sampling.seed}" if sampling.temperature else prompt
        digest = blake2b(key.encode(), digest_size=8).digest()
        natural = room if sampling.ignore_eos else 24 + digest[0] % 40
        length = max(natural, sampling.min_tokens)
        return cls._bounded(
            [_word(digest, n) for n in range(min(length, room + 1))], room, sampling
        )

    @classmethod
    def _bounded(cls, words: list[str], room: int, sampling: SamplingParams) -> "Reply":
        cut = words[:room] or [""]
        reason: FinishReason = "length" if len(words) >= room else "stop"
        end = _stop_position("".join(cut), sampling.stop)
        if end is None:
            return cls(tuple(cut), reason)
        return cls(tuple(encode("".join(cut)[:end])) or ("",), "stop")

    def delta(self, position: int, logprobs: int | None) -> TokenDelta:
        """Give the token at a position, without usage; past the end it is empty."""
        word = self.words[position] if position < len(self.words) else ""
        last = position >= len(self.words) - 1
        return TokenDelta(
            text=word,
            token_ids=(token_id(word),),
            logprobs=() if logprobs is None else (_logprob(word, logprobs),),
            finish_reason=self.finish_reason if last else None,
        )


def token_id(word: str) -> int:
    """Give a stable id, 0 to 49,151 as in SmolLM2's vocabulary, to a simulated token."""
    return int.from_bytes(blake2b(word.encode(), digest_size=4).digest()) % 49_152


def _logprob(word: str, count: int) -> TokenLogprob:
    """Give the word half of the probability, and each alternative half of the one before."""
    others = [f" {other}" for other in WORDS if other != word.strip()][: max(0, count - 1)]
    top = [
        TokenLogprob(token=token, logprob=-log(2) * rank)
        for rank, token in enumerate((word, *others), 1)
    ]
    return TokenLogprob(token=word, logprob=-log(2), top=tuple(top[:count]))


def _word(digest: bytes, position: int) -> str:
    index = blake2b(position.to_bytes(4), key=digest, digest_size=1).digest()[0] % len(WORDS)
    return WORDS[index] if position == 0 else f" {WORDS[index]}"


def _stop_position(text: str, stops: tuple[str, ...]) -> int | None:
    return min((at for stop in stops if (at := text.find(stop)) >= 0), default=None)

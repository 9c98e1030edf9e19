"""`Reply`: the simulated engine's text, words that depend on prompt, seed and position alone."""

from dataclasses import dataclass
from hashlib import blake2b
from math import log

from engine.errors import InvalidRequest
from engine.simulated.device import Simulated
from engine.simulated.schema_example import example
from engine.simulated.tokenizer import END, WORDS, decode, encode, token_id
from engine.types import FinishReason, SamplingParams, TokenDelta, TokenLogprob


def text_of_ids(ids: tuple[int, ...], param: str) -> str:
    """Return the text of token ids; raise InvalidRequest, with `param`, for an unknown one."""
    tokens = [decode(token) for token in ids]
    if None in tokens:
        raise InvalidRequest(
            f"Token ids must be those of this model, from 0 to {END - 1}.", param=param
        )
    return "".join(token or "" for token in tokens)


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole completion, known in advance: its tokens, and why it ends."""

    words: tuple[str, ...]
    finish_reason: FinishReason

    @classmethod
    def to(
        cls, prompt: str, sampling: SamplingParams, max_new_tokens: int, device: Simulated
    ) -> "Reply":
        """Return the reply to a prompt."""
        script = next((s for s in device.scripts if s.when in prompt), None)
        if script is not None:
            return cls._limited(encode(script.reply), max_new_tokens, sampling)
        if sampling.structured is not None:
            words = encode(example(sampling.structured.json_schema))
            return cls._limited(words, max_new_tokens, sampling)
        key = f"{prompt}\0{sampling.seed}" if sampling.temperature else prompt
        digest = blake2b(key.encode(), digest_size=8).digest()
        natural = max_new_tokens if sampling.ignore_eos else 24 + digest[0] % 40
        length = min(max(natural, sampling.min_tokens), max_new_tokens + 1)
        return cls._limited([_word(digest, n) for n in range(length)], max_new_tokens, sampling)

    @classmethod
    def _limited(cls, words: list[str], max_new_tokens: int, sampling: SamplingParams) -> "Reply":
        """Return the words up to the limit and up to a stop string."""
        kept = words[:max_new_tokens] or [""]
        reason: FinishReason = "length" if len(words) >= max_new_tokens else "stop"
        end = _stop_position("".join(kept), sampling.stop)
        if end is None:
            return cls(tuple(kept), reason)
        return cls(tuple(encode("".join(kept)[:end])) or ("",), "stop")

    def delta(self, position: int, logprobs: int | None) -> TokenDelta:
        """Return the token at a position, without usage; past the end it is empty."""
        word = self.words[position] if position < len(self.words) else ""
        last = position >= len(self.words) - 1
        return TokenDelta(
            text=word,
            token_ids=(token_id(word),),
            logprobs=() if logprobs is None else (_logprob(word, logprobs),),
            finish_reason=self.finish_reason if last else None,
        )


def _logprob(word: str, count: int) -> TokenLogprob:
    """Return half of the probability for the word, and for each alternative half of the last."""
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

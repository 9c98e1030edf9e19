"""What the simulated engine says: words that depend on the prompt and the position alone."""

from dataclasses import dataclass
from hashlib import blake2b
from math import log

from engine.errors import InvalidRequest
from engine.prompts.chat_template import arguments
from engine.simulated.device import Simulated
from engine.simulated.schema_example import example
from engine.simulated.tokenizer import END, WORDS, decode, encode, token_id
from engine.types import Chat, FinishReason, Prompt, SamplingParams, TokenDelta, TokenLogprob


def prompt_text(prompt: Prompt, device: Simulated) -> str:
    """Render a prompt as one text; raises InvalidRequest for what the device does not know."""
    if isinstance(prompt, str):
        return prompt
    if isinstance(prompt, Chat):
        return _render(prompt, device)
    return detokenized(prompt, "prompt")


def _render(chat: Chat, device: Simulated) -> str:
    told = arguments(chat, device.template_arguments)
    lines = [f"<{name}={value!r}>" for name, value in sorted(told.items())]
    lines += [f"<{m['role']}> {m.get('content') or ''}" for m in chat.messages]
    return "\n".join([*lines, "<assistant>"] if chat.add_generation_prompt else lines)


def detokenized(ids: tuple[int, ...], param: str) -> str:
    """Give the text of token ids; raises InvalidRequest if one is unknown."""
    tokens = [decode(token) for token in ids]
    if None in tokens:
        raise InvalidRequest(
            f"Token ids must be those of this model, from 0 to {END - 1}.", param=param
        )
    return "".join(token or "" for token in tokens)


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

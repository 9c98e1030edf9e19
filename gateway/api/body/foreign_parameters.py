"""Parameters of other servers that would change the answer, and that no endpoint here has.

Each has the values that change nothing, what to use instead, and the server that it comes from.
"""

from dataclasses import dataclass
from typing import Any, Final

_EMPTY: Final[tuple[Any, ...]] = (None, "", [], {}, False)


@dataclass(frozen=True, slots=True)
class ForeignParameter:
    """A parameter by its neutral values; None, false and what is empty are always neutral."""

    source: str
    neutral: tuple[Any, ...] = ()
    instead: str = "leave it out"

    def changes_answer(self, value: Any) -> bool:
        """Whether a server that knows the parameter would answer differently."""
        return not any(type(value) is type(v) and value == v for v in (*_EMPTY, *self.neutral))


_VLLM: Final = "vLLM, vllm/entrypoints/openai/chat_completion/protocol.py"
_OLD_VLLM: Final = "vLLM 0.10, vllm/entrypoints/openai/protocol.py"
_LLAMA_CPP: Final = "llama.cpp, tools/server/README.md"
_OPENROUTER: Final = "OpenRouter, docs/api-reference/parameters"
_TGI: Final = "Hugging Face TGI, docs/source/basic_tutorials/consuming_tgi.md"
_FORMAT: Final = "use response_format instead"
_LENGTH: Final = "use max_tokens instead"

FOREIGN_PARAMETERS: Final = {
    "add_special_tokens": ForeignParameter(_VLLM),
    "allowed_token_ids": ForeignParameter(_VLLM, instead="use logit_bias instead"),
    "bad_words": ForeignParameter(_VLLM),
    "best_of": ForeignParameter(_VLLM, (0, 1)),
    "cache_salt": ForeignParameter(_VLLM),
    "chat_template": ForeignParameter(_VLLM),
    "documents": ForeignParameter(_VLLM),
    "dry_multiplier": ForeignParameter(_LLAMA_CPP, (0, 0.0)),
    "early_stopping": ForeignParameter(_VLLM),
    "echo": ForeignParameter(_VLLM),
    "grammar": ForeignParameter(_LLAMA_CPP, instead=_FORMAT),
    "guided_choice": ForeignParameter(_OLD_VLLM, instead=_FORMAT),
    "guided_decoding_backend": ForeignParameter(_OLD_VLLM),
    "guided_grammar": ForeignParameter(_OLD_VLLM, instead=_FORMAT),
    "guided_regex": ForeignParameter(_OLD_VLLM, instead=_FORMAT),
    "include_stop_str_in_output": ForeignParameter(_VLLM),
    "json_schema": ForeignParameter(_LLAMA_CPP, instead=_FORMAT),
    "length_penalty": ForeignParameter(_VLLM, (1, 1.0)),
    "logits_processors": ForeignParameter(_OLD_VLLM),
    "max_length": ForeignParameter(_TGI, instead=_LENGTH),
    "max_new_tokens": ForeignParameter(_TGI, instead=_LENGTH),
    "mirostat": ForeignParameter(_LLAMA_CPP, (0,)),
    "n_predict": ForeignParameter(_LLAMA_CPP, (-1,), _LENGTH),
    "priority": ForeignParameter(_VLLM, (0,), "it comes from the API key"),
    "prompt_embeds": ForeignParameter(_VLLM),
    "prompt_logprobs": ForeignParameter(_VLLM),
    "repeat_penalty": ForeignParameter(
        _LLAMA_CPP, (1, 1.0), "use repetition_penalty instead"
    ),
    "stop_sequences": ForeignParameter(_TGI, instead="use stop instead"),
    "top_a": ForeignParameter(_OPENROUTER, (0, 0.0)),
    "truncate_prompt_tokens": ForeignParameter(_VLLM),
    "typical_p": ForeignParameter(_LLAMA_CPP, (1, 1.0)),
    "use_beam_search": ForeignParameter(_VLLM),
    "xtc_probability": ForeignParameter(_LLAMA_CPP, (0, 0.0)),
}  # fmt: skip

# Names that clients send to other servers and that look like a misspelt one of OpenAI's.
NOT_MISSPELT: Final = frozenset({"models"})  # OpenRouter's models to fall back on

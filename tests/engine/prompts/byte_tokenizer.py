"""A tokenizer of one token a byte, and prompts that it makes."""

from typing import Any

from engine import GenerateRequest, ModelInfo, SamplingParams
from engine.prompts.encoder import PromptEncoder
from engine.prompts.request_encoder import EncodedPrompt
from engine.types import Prompt

TEMPLATE = (
    "{% for m in messages %}{% if m['role'] == 'judge' %}{{ raise_exception('no judges') }}"
    "{% endif %}{{ '<|' + m['role'] + '|> ' + m['content'] + ' ' }}{% endfor %}"
    "{% if tools %}{{ tools[0]['function']['name'] }} {% endif %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def tokenizer(template: str | None = TEMPLATE) -> Any:
    """Make a tokenizer with one token a byte, and three special ones."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: index for index, letter in enumerate(alphabet)}
    core = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.decoder = decoders.ByteLevel()
    core.add_special_tokens(["<|user|>", "<|assistant|>", "<|system|>"])
    made = PreTrainedTokenizerFast(tokenizer_object=core)
    made.chat_template = template
    return made


OF_REQUESTS = {
    "emitted", "refuse_hints", "refuse_max_tokens_over_context", "report_prompt", "truncate"
}  # fmt: skip


async def encode(prompt: Prompt, limit: int = 64, **kwargs: Any) -> EncodedPrompt:
    asked = {name: kwargs.pop(name) for name in set(kwargs) & OF_REQUESTS}
    model = ModelInfo(
        id="bytes", max_model_len=limit, max_prompt_len=kwargs.pop("max_prompt_len", None)
    )
    prompts = PromptEncoder(kwargs.pop("tokenizer", None) or tokenizer(), model)
    try:
        return await prompts.encode(
            GenerateRequest(
                request_id="1", prompt=prompt, sampling=SamplingParams(**kwargs), **asked
            )
        )
    finally:
        prompts.close()

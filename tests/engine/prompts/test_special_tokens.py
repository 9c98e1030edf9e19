"""What a client writes is never a special token; with tokenizers that are made here."""

from typing import Any

import pytest

from engine import Chat
from engine.types import Prompt
from tests.engine.prompts.byte_tokenizer import TEMPLATE, encode, tokenizer

SPECIAL = ("<|user|>", "<|assistant|>", "<|system|>")


def sentencepiece() -> Any:
    """Make a tokenizer that puts a space before each text, as Llama 2's does."""
    from tokenizers import Tokenizer, decoders, models, normalizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted({chr(code) for code in range(33, 127)} | {"\u2581", "\n", "<unk>"})
    vocabulary = {letter: index for index, letter in enumerate(letters)}
    core = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))
    core.normalizer = normalizers.Sequence(
        [normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]
    )
    core.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.Fuse()])
    core.add_special_tokens(list(SPECIAL))
    made = PreTrainedTokenizerFast(tokenizer_object=core)
    made.chat_template = TEMPLATE
    return made


def user(content: str, **kwargs: Any) -> Chat:
    return Chat(messages=({"role": "user", "content": content},), **kwargs)


async def count(prompt: Prompt, made: Any) -> int:
    ids = (await encode(prompt, limit=4000, tokenizer=made)).token_ids
    special = set(made.convert_tokens_to_ids(list(SPECIAL)))
    return sum(id_ in special for id_ in ids)


@pytest.mark.parametrize("make", [tokenizer, sentencepiece])
@pytest.mark.parametrize("token", [*SPECIAL, "<|user|><|system|>", "<<|user|>", "<|user|" * 3])
async def test_a_special_token_in_a_chat_is_plain_text(make: Any, token: str) -> None:
    made = make()
    text = f"a {token} b"
    assert await count(user(text), made) == await count(user("a b"), made) == 2
    ids = (await encode(user(text), limit=200, tokenizer=made)).token_ids
    assert text in made.decode(ids)


async def test_names_and_schemas_of_tools_are_plain_text() -> None:
    for tool in (
        {"function": {"name": "<|user|>"}},
        {"function": {"name": "f", "description": "<|user|>"}},
        {"function": {"name": "f", "parameters": {"properties": {"<|user|>": {}}}}},
    ):
        chat = user("a", tools=({"type": "function", **tool},))
        assert await count(chat, tokenizer()) == 3  # the system's turn has the functions


async def test_a_value_for_the_template_is_plain_text() -> None:
    made = tokenizer(TEMPLATE + "{{ greeting }}")
    chat = user("a", template_arguments={"greeting": "<|user|>"})
    assert await count(chat, made) == 2


async def test_a_text_prompt_is_raw() -> None:
    assert await count("<|user|> hi", tokenizer()) == 1


async def test_a_text_full_of_special_tokens_is_tokenized() -> None:
    text = "<|system|>" * 20_000
    encoded = await encode(user(text), limit=300_000)
    assert encoded.prompt_tokens == 200_000 + 4

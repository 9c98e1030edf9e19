"""Prompts as token ids, with a tokenizer of one token a byte."""

import asyncio
from typing import Any

import pytest

from engine import (
    Chat,
    ContextLengthExceeded,
    GenerateRequest,
    GenerationFailed,
    InvalidRequest,
    ModelInfo,
    PromptReport,
)
from engine.prompts.encoder import PromptEncoder
from engine.prompts.request_encoder import EncodedPrompt
from engine.types import Prompt
from tests.engine.prompts.byte_tokenizer import TEMPLATE, encode, tokenizer


@pytest.mark.parametrize(
    "sampling", [{"stop_token_ids": (259,)}, {"stop_token_ids": (-1,)}, {"logit_bias": {259: 1.0}}]
)
async def test_a_token_that_the_model_does_not_have_is_refused(sampling: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="from 0 to 258") as refused:
        await encode("a", **sampling)
    assert [refused.value.param] == list(sampling)


async def test_the_last_token_of_the_model_is_known() -> None:
    await encode("a", stop_token_ids=(0, 258), logit_bias={258: 1.0})


def chat(*messages: dict[str, Any], **kwargs: Any) -> Chat:
    return Chat(messages=messages, **kwargs)


async def test_text_becomes_ids_and_the_rest_of_the_context_is_for_new_tokens() -> None:
    encoded = await encode("hello")
    assert len(encoded.token_ids) == encoded.prompt_tokens == 5
    assert encoded.max_new_tokens == 59


async def test_a_chat_goes_through_the_template_with_special_tokens() -> None:
    encoded = await encode(chat({"role": "user", "content": "hi"}))
    assert tokenizer().decode(encoded.token_ids) == "<|user|> hi <|assistant|>"
    assert encoded.prompt_tokens == 6


async def test_tools_reach_the_template() -> None:
    tool = {"type": "function", "function": {"name": "weather"}}
    encoded = await encode(chat({"role": "user", "content": "hi"}, tools=(tool,)), limit=2000)
    assert "weather" in tokenizer().decode(encoded.token_ids)


async def test_emitted_tokens_follow_the_prompt_and_count_as_new() -> None:
    encoded = await encode((1, 2, 3), emitted=(4, 5), max_tokens=10)
    assert encoded == EncodedPrompt(prompt_tokens=3, token_ids=(1, 2, 3, 4, 5), max_new_tokens=8)


async def test_nothing_is_left_where_all_was_emitted() -> None:
    assert (await encode((1,), emitted=(2, 3), max_tokens=2)).max_new_tokens == 0


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "judge", "content": "x"}],
        [{"role": "user", "content": ["a"]}],
        [{"role": "user", "content": 7}],
        [{"content": "x"}],
        [{"role": None, "content": "x"}],
        [{"role": "user", "content": "\ud800"}],
    ],
)
async def test_odd_messages_are_the_clients_mistake(messages: list[dict[str, Any]]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await encode(chat(*messages))
    assert caught.value.param == "messages"


@pytest.mark.parametrize("content", ["", "\0", "a\r\n\tb", "🌊é日本", "{{ 7 * 7 }}", "<|user|>"])
async def test_odd_text_is_text(content: str) -> None:
    encoded = await encode(chat({"role": "user", "content": content}))
    assert content in tokenizer().decode(encoded.token_ids)


@pytest.mark.parametrize("prompt", ["", (), (-1,), (9999,), "\udfff"])
async def test_prompts_without_meaning_are_refused(prompt: Prompt) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await encode(prompt)
    assert caught.value.param == "prompt"


async def test_a_model_without_template_takes_no_chat() -> None:
    with pytest.raises(InvalidRequest, match="no chat template"):
        await encode(chat({"role": "user", "content": "x"}), tokenizer=tokenizer(None))


@pytest.mark.parametrize(("tokens", "max_tokens"), [(64, None), (65, 1), (600, None)])
async def test_what_does_not_fit_is_refused_with_its_numbers(
    tokens: int, max_tokens: int | None
) -> None:
    with pytest.raises(ContextLengthExceeded) as caught:
        await encode("x" * tokens, max_tokens=max_tokens)
    assert "maximum context length is 64 tokens. However" in caught.value.message
    assert f"resulted in {tokens} tokens" in caught.value.message
    assert caught.value.param == "prompt"


async def test_a_text_too_long_to_tokenize_is_refused_with_a_lower_bound() -> None:
    with pytest.raises(ContextLengthExceeded, match=r"at least 77 tokens \(1000 characters\)"):
        await encode("x" * 1000)  # the longest token has 13 characters


async def test_more_tokens_than_fit_are_lowered_and_reported() -> None:
    encoded = await encode("x" * 60, max_tokens=5, min_tokens=5)
    assert encoded.max_new_tokens == 4
    assert encoded.report == PromptReport(ignored=("max_tokens",))
    assert (await encode("x" * 60, max_tokens=4)).report is None


async def test_a_lowered_limit_is_the_same_when_a_stream_goes_on() -> None:
    assert (await encode("x" * 60, max_tokens=5, emitted=(1, 2))).max_new_tokens == 2


async def test_more_tokens_than_fit_can_be_refused_by_the_limits_name() -> None:
    with pytest.raises(ContextLengthExceeded, match="Lower it to 4") as caught:
        await encode("x" * 60, max_tokens=5, refuse_max_tokens_over_context=True)
    assert caught.value.param == "max_tokens"


async def test_the_longest_prompt_of_a_compiled_model_is_its_limit() -> None:
    assert (await encode("x" * 40, max_prompt_len=40)).max_new_tokens == 24
    with pytest.raises(ContextLengthExceeded, match=r"length is 40 tokens for prompts\. However"):
        await encode("x" * 41, max_prompt_len=40)


async def test_the_prompts_ids_are_reported_where_they_are_asked_for() -> None:
    encoded = await encode((1, 2), report_prompt=True, emitted=(3,))
    assert encoded.report == PromptReport(token_ids=(1, 2))


async def test_a_chat_that_does_not_fit_names_messages() -> None:
    with pytest.raises(ContextLengthExceeded) as caught:
        await encode(chat({"role": "user", "content": "x" * 100}))
    assert caught.value.param == "messages"


@pytest.mark.parametrize(("tokens", "max_tokens"), [(63, None), (60, 4), (63, 1)])
async def test_what_just_fits_is_taken(tokens: int, max_tokens: int | None) -> None:
    assert (await encode("x" * tokens, max_tokens=max_tokens)).prompt_tokens == tokens


async def test_many_prompts_at_once_do_not_disturb_each_other() -> None:
    prompts = PromptEncoder(tokenizer(), ModelInfo(id="bytes", max_model_len=10_000))
    requests = [GenerateRequest(request_id=str(n), prompt="x" * (n + 1)) for n in range(64)]
    encoded = await asyncio.gather(*map(prompts.encode, requests))
    prompts.close()
    assert [p.prompt_tokens for p in encoded] == list(range(1, 65))


SWITCH = TEMPLATE + "{% if enable_thinking is false %}<no reasoning>{% endif %}"
EFFORT = "{% generation %}{{ reasoning_effort }}{% endgeneration %}" + TEMPLATE
HI = {"role": "user", "content": "hi"}


@pytest.mark.parametrize(
    ("template", "arguments", "more"),
    [
        (SWITCH, {"template_arguments": {"enable_thinking": False}}, len("<no reasoning>")),
        (SWITCH, {"template_arguments": {"enable_thinking": True}}, 0),
        (SWITCH, {"reasoning_effort": "none"}, len("<no reasoning>")),
        (EFFORT, {"reasoning_effort": "high"}, len("high")),
    ],
)
async def test_a_template_gets_the_arguments_that_it_reads(
    template: str, arguments: dict[str, Any], more: int
) -> None:
    made = tokenizer(template)
    plain = await encode(chat(HI), tokenizer=made)
    assert (await encode(chat(HI, **arguments), tokenizer=made)).prompt_tokens == (
        plain.prompt_tokens + more
    )


@pytest.mark.parametrize(
    ("arguments", "param"),
    [
        ({"template_arguments": {"other": 1}}, "chat_template_kwargs.other"),
        ({"template_arguments": {"m": 1}}, "chat_template_kwargs.m"),
        ({"template_arguments": {"messages": []}}, "chat_template_kwargs.messages"),
    ],
)
async def test_an_argument_that_a_template_does_not_read_is_refused(
    arguments: dict[str, Any], param: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await encode(chat(HI, **arguments))
    assert refused.value.param == param


HINTS: list[tuple[str, dict[str, Any], str]] = [
    (SWITCH, {"reasoning_effort": "high"}, "reasoning_effort"),
    (TEMPLATE, {"reasoning_effort": "low"}, "reasoning_effort"),
    (
        TEMPLATE, {"template_arguments": {"enable_thinking": True}},
        "chat_template_kwargs.enable_thinking",
    ),
    (TEMPLATE, {"template_arguments": {"thinking": True}}, "chat_template_kwargs.thinking"),
]  # fmt: skip


@pytest.mark.parametrize(("template", "arguments", "name"), HINTS)
async def test_a_hint_that_a_template_does_not_read_is_reported(
    template: str, arguments: dict[str, Any], name: str
) -> None:
    encoded = await encode(chat(HI, **arguments), tokenizer=tokenizer(template))
    assert encoded.report == PromptReport(ignored=(name,))


@pytest.mark.parametrize(("template", "arguments", "name"), HINTS)
async def test_a_hint_that_a_template_does_not_read_can_be_refused(
    template: str, arguments: dict[str, Any], name: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await encode(chat(HI, **arguments), tokenizer=tokenizer(template), refuse_hints=True)
    assert refused.value.param == name


@pytest.mark.parametrize(
    "arguments",
    [
        {"reasoning_effort": "none"},
        {"template_arguments": {"enable_thinking": False}},
        {"template_arguments": {"thinking": False}},
    ],
)
async def test_no_reasoning_is_taken_where_nothing_reasons(arguments: dict[str, Any]) -> None:
    assert (await encode(chat(HI, **arguments), refuse_hints=True)).report is None


async def test_tokens_go_there_and_back() -> None:
    prompts = PromptEncoder(tokenizer(), ModelInfo(id="bytes", max_model_len=64))
    tokens = await prompts.tokenize("héllo", add_special_tokens=True)
    assert len(tokens.ids) == len(tokens.strings) == 6
    assert await prompts.detokenize(tokens.ids) == "héllo"
    with pytest.raises(InvalidRequest):
        await prompts.detokenize((10**6,))
    prompts.close()


async def test_a_stream_cannot_go_on_from_half_a_character() -> None:
    wave = tokenizer().encode("🌊", add_special_tokens=False)
    assert (await encode("hi", emitted=tuple(wave))).max_new_tokens == 58
    with pytest.raises(GenerationFailed):
        await encode("hi", emitted=tuple(wave[:2]))

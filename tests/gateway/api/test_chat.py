"""`POST /v1/chat/completions`, seen through the OpenAI SDK."""

import asyncio
import json
import time
from typing import Any

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from tests.conftest import Serve, sdk

PART = "messages[0].content[0].type"
HELLO = [{"role": "user", "content": "Say hello."}]


def create(client: openai.OpenAI, **fields: Any) -> Any:
    return client.chat.completions.create(**({"model": "sim", "messages": HELLO} | fields))


def text_of(chunks: list[ChatCompletionChunk]) -> str:
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


def running(url: str) -> int:
    load: int = httpx.get(f"{url}/readyz").json()["models"]["sim"]["running"]
    return load


def wait_until_idle(url: str, seconds: float = 1.0) -> None:
    deadline = time.monotonic() + seconds
    while running(url):
        assert time.monotonic() < deadline, "the slot was not freed"
        time.sleep(0.02)


def test_answers_whole(client: openai.OpenAI) -> None:
    answer = create(client)
    assert isinstance(answer, ChatCompletion)
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].finish_reason == "stop"


def test_the_stream_joined_is_the_whole_answer(client: openai.OpenAI) -> None:
    chunks = list(create(client, stream=True))
    assert text_of(chunks) == create(client).choices[0].message.content


def test_every_chunk_is_the_sdks_own_type(client: openai.OpenAI) -> None:
    for chunk in create(client, stream=True):
        ChatCompletionChunk.model_validate(chunk.model_dump(), strict=True)


def test_the_first_chunk_has_the_role_and_the_last_the_reason(client: openai.OpenAI) -> None:
    chunks = list(create(client, stream=True))
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [c.choices[0].finish_reason for c in chunks if c.choices[0].finish_reason] == ["stop"]


def test_usage_comes_only_when_asked_for(client: openai.OpenAI) -> None:
    assert all(chunk.choices for chunk in create(client, stream=True))
    *chunks, last = create(client, stream=True, stream_options={"include_usage": True})
    assert (last.choices, last.usage) == ([], create(client).usage)
    assert all("usage" in c.model_fields_set and c.usage is None for c in chunks)


def test_max_tokens_ends_with_length(client: openai.OpenAI) -> None:
    answer = create(client, max_tokens=3)
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 3


def test_a_stop_string_is_not_in_the_output(client: openai.OpenAI) -> None:
    whole = create(client).choices[0].message.content
    word = whole.split()[5]
    answer = create(client, stop=[word])
    assert answer.choices[0].message.content == whole[: whole.index(word)]
    assert answer.choices[0].finish_reason == "stop"


def test_content_may_be_parts_and_roles_may_be_developer(client: openai.OpenAI) -> None:
    parts = [{"role": "user", "content": [{"type": "text", "text": "Say hello."}]}]
    assert create(client, messages=parts).choices == create(client).choices
    system, developer = (
        create(client, messages=[{"role": role, "content": "Be brief."}, *HELLO])
        for role in ("system", "developer")
    )
    assert system.choices == developer.choices


def test_an_answer_can_be_sent_back(client: openai.OpenAI) -> None:
    message = create(client).choices[0].message.model_dump()
    assert create(client, messages=[*HELLO, message, *HELLO]).choices


async def test_the_async_sdk_streams_many_at_once(url: str) -> None:
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none") as client:

        async def one(number: int) -> int:
            messages = [{"role": "user", "content": str(number)}]
            stream = await client.chat.completions.create(
                model="sim", messages=messages, stream=True, max_tokens=20
            )
            return len([chunk async for chunk in stream])

        counts = await asyncio.gather(*(one(number) for number in range(16)))
    assert all(count > 2 for count in counts)


def said(part: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [part]}]}


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"functions": [1]}, "functions", "unsupported_parameter"),
        ({"temperature": 3}, "temperature", "invalid_value"),
        ({"temperature": "hot"}, "temperature", "invalid_type"),
        ({"max_tokens": 0}, "max_tokens", "invalid_value"),
        ({"max_tokens": 1, "max_completion_tokens": 2}, "max_tokens", "invalid_value"),
        ({"messages": []}, "messages", "invalid_value"),
        ({"messages": [{"role": "user"}]}, "messages[0].content", "missing_required_parameter"),
        ({"messages": [{"role": "king", "content": ""}]}, "messages[0].role", "invalid_value"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content", "invalid_type"),
        ({"stop": ["a"] * 65}, "stop", "invalid_value"),
        ({"stop": [""]}, "stop[0]", "invalid_value"),
        ({"stream_options": {}}, "stream_options", "invalid_value"),
        ({"logit_bias": {"word": 1}}, "logit_bias", "invalid_value"),
        (said({"type": "text", "text": "x " * 9000}), "messages", "context_length_exceeded"),
        ({"n": 2, "temperature": 0}, "n", "invalid_value"),
        ({"n": 129}, "n", "invalid_value"),
        ({"top_logprobs": 2}, "top_logprobs", "invalid_value"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs", "invalid_value"),
        ({"guided_regex": "a"}, "guided_regex", "unsupported_parameter"),
        ({"guided_json": "{"}, "guided_json", "invalid_value"),
        ({"structured_outputs": {"regex": "a"}}, "structured_outputs.regex", None),
        ({"use_beam_search": True}, "use_beam_search", "unsupported_parameter"),
        ({"chat_template": "x"}, "chat_template", "unsupported_parameter"),
        ({"priority": 1}, "priority", "unsupported_parameter"),
        ({"cache_salt": "x"}, "cache_salt", "unsupported_parameter"),
        ({"audio": {"voice": "a"}}, "audio", "unsupported_parameter"),
        ({"web_search_options": {"a": 1}}, "web_search_options", "unsupported_parameter"),
        ({"modalities": ["audio"]}, "modalities[0]", "invalid_value"),
        ({"service_tier": "first"}, "service_tier", "invalid_value"),
        ({"reasoning_effort": "huge"}, "reasoning_effort", "invalid_value"),
        (
            {"chat_template_kwargs": {"nonsense": False}},
            "chat_template_kwargs.nonsense",
            "unsupported_parameter",
        ),
        ({"chat_template_kwargs": {"tools": []}}, "chat_template_kwargs.tools", None),
        (said({"type": "image_url", "image_url": {"url": "data:,"}}), PART, "unsupported_value"),
        (said({"type": "input_audio", "input_audio": {}}), PART, "unsupported_value"),
        (said({"type": "file", "file": {}}), PART, "unsupported_value"),
        (said({"type": "smell"}), PART, "invalid_value"),
        (said({"type": "text"}), PART[:-4] + "text", "missing_required_parameter"),
        (said({"type": "text", "text": "a", "refusal": "b"}), PART[:-4] + "refusal", None),
        ({"tools": [{"type": "hosted"}]}, "tools[0].type", "invalid_value"),
    ],
    ids=lambda value: json.dumps(value)[:40] if isinstance(value, dict) else None,
)
def test_a_bad_request_is_refused_by_name(
    url: str, fields: dict[str, Any], param: str, code: str
) -> None:
    body = {"model": "sim", "messages": HELLO} | fields
    answer = httpx.post(f"{url}/v1/chat/completions", json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, param)
    assert error["code"] == code or code is None
    assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "fields",
    [
        {"metadata": {"a": "b"}, "store": True, "user": "me", "safety_identifier": "me"},
        {"prediction": {"type": "content", "content": "x"}, "verbosity": "low"},
        {"prompt_cache_key": "a", "prompt_cache_options": {}, "prompt_cache_retention": "24h"},
        {"modalities": ["text"], "parallel_tool_calls": True, "stream_options": None},
        {
            "messages": said({"type": "text", "text": "a", "prompt_cache_breakpoint": {}})[
                "messages"
            ]
        },
        {"skip_special_tokens": False, "ignore_eos": True, "max_tokens": 3},
    ],
    ids=lambda fields: ",".join(fields),
)
def test_what_does_no_harm_is_accepted(url: str, fields: dict[str, Any]) -> None:
    body = {"model": "sim", "messages": HELLO} | fields
    assert httpx.post(f"{url}/v1/chat/completions", json=body).status_code == 200


def test_a_service_tier_is_answered_with_the_only_one(client: openai.OpenAI) -> None:
    assert create(client).service_tier is None
    assert create(client, service_tier="flex").service_tier == "default"
    assert {c.service_tier for c in create(client, service_tier="auto", stream=True)} == {"default"}


def test_a_template_is_told_what_it_reads(serve: Serve) -> None:
    url = serve({"template_arguments": ["enable_thinking"]})
    with sdk(url) as client:
        plain, off, none = (
            create(client, **fields).usage.prompt_tokens
            for fields in (
                {},
                {"extra_body": {"chat_template_kwargs": {"enable_thinking": False}}},
                {"reasoning_effort": "none"},
            )
        )
    assert off == none != plain


def test_a_refusal_of_a_stream_keeps_its_status(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        create(client, stream=True, **said({"type": "text", "text": "x " * 9000}))
    assert refused.value.code == "context_length_exceeded"


def test_what_the_device_ignores_is_refused(serve: Serve) -> None:
    with sdk(serve({"unsupported": ["logprobs"]})) as client:
        with pytest.raises(openai.BadRequestError) as refused:
            create(client, logprobs=True)
        assert (refused.value.code, refused.value.param) == ("unsupported_parameter", "logprobs")
        assert create(client, logprobs=None).choices


def test_a_failure_before_the_first_token_is_a_status(serve: Serve) -> None:
    with (
        sdk(serve({"faults": {"fail_at_token": 0}})) as client,
        pytest.raises(openai.InternalServerError) as failed,
    ):
        create(client, stream=True)
    assert failed.value.code == "generation_failed"


def test_a_failure_in_mid_stream_is_an_error_frame_and_done(serve: Serve) -> None:
    url = serve({"faults": {"fail_at_token": 3}})
    body = {"model": "sim", "messages": HELLO, "stream": True}
    *_, error, done, rest = httpx.post(f"{url}/v1/chat/completions", json=body).text.split("\n\n")
    assert json.loads(error.removeprefix("data: "))["error"]["code"] == "generation_failed"
    assert (done, rest) == ("data: [DONE]", "")
    with sdk(url) as client, pytest.raises(openai.APIError):
        list(create(client, stream=True))


def test_a_dead_engine_says_when_to_come_back(serve: Serve) -> None:
    url = serve({"faults": {"die_at_token": 2}})
    body = {"model": "sim", "messages": HELLO}
    for _ in range(2):
        answer = httpx.post(f"{url}/v1/chat/completions", json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "engine_unavailable")
        assert int(answer.headers["retry-after"]) > 0
    assert httpx.get(f"{url}/readyz").status_code == 503


def test_silence_is_filled_with_pings(serve: Serve) -> None:
    limits = {"stream_open_timeout_seconds": 0.05, "ping_interval_seconds": 0.05}
    url = serve({"faults": {"stall_at_token": 0}}, limits=limits)
    body = {"model": "sim", "messages": HELLO, "stream": True}
    with httpx.stream("POST", f"{url}/v1/chat/completions", json=body) as answer:
        lines = answer.iter_lines()
        seen = [next(lines) for _ in range(6)]
    assert answer.status_code == 200
    assert [line for line in seen if line] == [": ping"] * 3
    wait_until_idle(url)


@pytest.mark.parametrize("stalls_at", [0, 3], ids=["before the first token", "in mid-stream"])
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_a_client_that_leaves_frees_its_slot(serve: Serve, stalls_at: int, stream: bool) -> None:
    url = serve({"faults": {"stall_at_token": stalls_at}})
    body = {"model": "sim", "messages": HELLO, "stream": stream}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{url}/v1/chat/completions", json=body, timeout=0.3)
    wait_until_idle(url)


def test_a_client_that_leaves_the_queue_leaves_nothing_behind(serve: Serve) -> None:
    url = serve({"faults": {"stall_at_token": 0}}, engine={"max_num_seqs": 1})
    body = {"model": "sim", "messages": HELLO, "stream": True}
    with httpx.Client(timeout=0.3) as client:
        for _ in range(3):
            with pytest.raises(httpx.ReadTimeout):
                client.post(f"{url}/v1/chat/completions", json=body)
    wait_until_idle(url)


def test_scripts_answer_by_the_prompt(serve: Serve) -> None:
    scripts = [{"when": "weather", "reply": "It will rain."}]
    with sdk(serve({"scripts": scripts})) as client:
        answer = create(client, messages=[{"role": "user", "content": "the weather?"}])
    assert answer.choices[0].message.content == "It will rain."


def test_n_choices_come_with_their_indexes(client: openai.OpenAI) -> None:
    answer = create(client, n=3, seed=1)
    texts = [choice.message.content for choice in answer.choices]
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert len(set(texts)) == 3
    assert answer.usage.prompt_tokens == create(client).usage.prompt_tokens


def test_n_streamed_choices_interleave_and_join_to_the_whole(client: openai.OpenAI) -> None:
    options = {"n": 3, "seed": 1, "stream_options": {"include_usage": True}}
    chunks = list(create(client, stream=True, **options))
    joined = ["", "", ""]
    for chunk in chunks:
        for choice in chunk.choices:
            joined[choice.index] += choice.delta.content or ""
    whole = create(client, n=3, seed=1)
    assert joined == [choice.message.content for choice in whole.choices]
    assert chunks[-1].usage == whole.usage
    assert sum(bool(c.choices and c.choices[0].finish_reason) for c in chunks) == 3


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_a_client_that_leaves_frees_the_slots_of_all_choices(serve: Serve, stream: bool) -> None:
    url = serve({"faults": {"stall_at_token": 2}})
    body = {"model": "sim", "messages": HELLO, "stream": stream, "n": 4, "temperature": 1}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{url}/v1/chat/completions", json=body, timeout=0.3)
    wait_until_idle(url)


def test_a_failing_choice_ends_the_others(serve: Serve) -> None:
    url = serve({"faults": {"fail_at_token": 3}})
    body = {"model": "sim", "messages": HELLO, "n": 3}
    assert httpx.post(f"{url}/v1/chat/completions", json=body).status_code == 500
    wait_until_idle(url)

"""`POST /v1/completions`, seen through the OpenAI SDK."""

from typing import Any

import httpx
import openai
import pytest
from openai.types import Completion


def create(client: openai.OpenAI, **fields: Any) -> Any:
    return client.completions.create(**({"model": "sim", "prompt": "Once upon"} | fields))


def test_answers_whole_with_sixteen_tokens(client: openai.OpenAI) -> None:
    answer = create(client)
    assert isinstance(answer, Completion)
    assert (answer.object, answer.usage.completion_tokens) == ("text_completion", 16)


def test_the_stream_joined_is_the_whole_answer(client: openai.OpenAI) -> None:
    chunks = list(create(client, stream=True))
    assert "".join(c.choices[0].text for c in chunks) == create(client).choices[0].text
    assert chunks[-1].choices[0].finish_reason == "length"


def test_each_prompt_is_a_block_of_n_choices(client: openai.OpenAI) -> None:
    answer = create(client, prompt=["a", "b"], n=2, seed=1)
    alone = [create(client, prompt=prompt, n=2, seed=1) for prompt in ("a", "b")]
    assert [c.index for c in answer.choices] == [0, 1, 2, 3]
    assert [c.text for c in answer.choices] == [c.text for a in alone for c in a.choices]
    assert answer.usage.total_tokens == sum(a.usage.total_tokens for a in alone)


@pytest.mark.parametrize("prompt", [[1, 2, 3], [[1, 2, 3]]], ids=["ids", "list of ids"])
def test_prompts_may_be_token_ids(client: openai.OpenAI, prompt: Any) -> None:
    assert create(client, prompt=prompt).usage.prompt_tokens == 3


def test_usage_comes_only_when_asked_for(client: openai.OpenAI) -> None:
    assert all(chunk.choices for chunk in create(client, stream=True))
    *_, last = create(client, stream=True, stream_options={"include_usage": True})
    assert last.usage == create(client).usage


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"prompt": []}, "prompt", "invalid_value"),
        ({"prompt": {}}, "prompt", "invalid_type"),
        ({"prompt": [-1]}, "prompt[0]", "invalid_value"),
        ({"suffix": "x"}, "suffix", "unsupported_parameter"),
        ({"echo": True}, "echo", "unsupported_value"),
        ({"best_of": 2}, "best_of", "unsupported_value"),
        ({"max_token": 5}, "max_token", "unknown_parameter"),
        ({"prompt": "x " * 9000}, "prompt", "context_length_exceeded"),
        # Of a model that runs and queues 70: refused before a request is built for each.
        ({"prompt": ["x"] * 128, "n": 128}, "n", "invalid_value"),
        ({"prompt": ["x"] * 128}, "prompt", "invalid_value"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else None,
)
def test_a_bad_request_is_refused_by_name(
    url: str, fields: dict[str, Any], param: str, code: str
) -> None:
    answer = httpx.post(f"{url}/v1/completions", json={"model": "sim", "prompt": "x"} | fields)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"], error["code"]) == (400, param, code)

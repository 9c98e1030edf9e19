"""`/tokenize` and `/detokenize`, in vLLM's wire format."""

from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.simulated.tokenizer import END, decode, encode, token_id
from tests.conftest import Serve

HELLO = [{"role": "user", "content": "Grüße, 世界 🌊!"}]


def tokenize(url: str, **fields: Any) -> httpx.Response:
    return httpx.post(f"{url}/tokenize", json={"model": "sim"} | fields)


def test_a_text_goes_there_and_back(url: str) -> None:
    text = HELLO[0]["content"]
    told = tokenize(url, prompt=text, return_token_strs=True).json()
    assert told["count"] == len(told["tokens"]) == len(told["token_strs"])
    assert (told["max_model_len"], "".join(told["token_strs"])) == (4096, text)
    back = httpx.post(f"{url}/detokenize", json={"model": "sim", "tokens": told["tokens"]})
    assert back.json() == {"prompt": text}


def test_a_chat_has_the_tokens_that_its_completion_counts(url: str) -> None:
    told = tokenize(url, messages=HELLO).json()
    answer = httpx.post(
        f"{url}/v1/chat/completions", json={"model": "sim", "messages": HELLO, "max_tokens": 1}
    )
    assert told["count"] == answer.json()["usage"]["prompt_tokens"]
    assert told["token_strs"] is None


def test_a_chat_may_go_without_the_answers_beginning(url: str) -> None:
    without = tokenize(url, messages=HELLO, add_generation_prompt=False).json()
    assert without["count"] < tokenize(url, messages=HELLO).json()["count"]


def test_tokens_can_be_completed(url: str) -> None:
    tokens = tokenize(url, prompt="Once upon").json()["tokens"]
    bodies = [{"model": "sim", "prompt": prompt} for prompt in ("Once upon", tokens)]
    texts = [
        httpx.post(f"{url}/v1/completions", json=body).json()["choices"][0]["text"]
        for body in bodies
    ]
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "messages"),
        ({"prompt": "a", "messages": HELLO}, "messages"),
        ({"prompt": 5}, "prompt"),
        ({"prompt": "a", "add_generation_prompt": True}, "add_generation_prompt"),
        ({"messages": HELLO, "chat_template": "x"}, "chat_template"),
        (
            {"messages": HELLO, "chat_template_kwargs": {"nonsense": 1}},
            "chat_template_kwargs.nonsense",
        ),
    ],
    ids=str,
)
def test_a_bad_request_is_refused_by_name(url: str, fields: dict[str, Any], param: str) -> None:
    answer = tokenize(url, **fields)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


@pytest.mark.parametrize("tokens", [[-1], [2**31], ["a"], [END], None], ids=str)
def test_tokens_that_are_none_are_refused(url: str, tokens: Any) -> None:
    answer = httpx.post(f"{url}/detokenize", json={"model": "sim", "tokens": tokens})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"].startswith("tokens")


def test_an_unknown_model_is_a_404(url: str) -> None:
    assert tokenize(url, model="gpt", prompt="a").status_code == 404


def test_a_dead_engine_says_so(serve: Serve) -> None:
    url = serve({"faults": {"die_at_token": 0}})
    httpx.post(f"{url}/v1/completions", json={"model": "sim", "prompt": "a"})
    assert tokenize(url, prompt="a").status_code == 503


@given(st.text())
def test_every_text_is_its_tokens_joined(text: str) -> None:
    tokens = encode(text)
    ids = [token_id(token) for token in tokens]
    assert "".join(tokens) == text
    assert [decode(id_) for id_ in ids] == tokens
    assert all(0 <= id_ < END for id_ in ids)


@given(st.integers(0, END + 2**10))
def test_every_id_is_of_one_token_or_of_none(id_: int) -> None:
    token = decode(id_)
    if token is not None:
        token.encode()

"""Hundreds of malformed requests: each is a 4xx in OpenAI's shape, and the next one is served."""

import json
import logging
import random
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

CHAT = "/v1/chat/completions"
GOOD: dict[str, Any] = {"model": "sim", "messages": [{"role": "user", "content": "Hello."}]}
NUMBERS = ("temperature", "top_p", "n", "max_tokens", "seed", "top_k", "min_p", "presence_penalty")
LISTS = ("messages", "stop", "tools", "stop_token_ids")
OBJECTS = ("logit_bias", "response_format", "stream_options", "metadata", "tool_choice")
WRONG = ("word", [1], {"a": 1}, True, "\x00", -1e308, [[[]]], [None])


def wrong_types() -> Iterator[bytes]:
    for name in NUMBERS:
        yield from (json.dumps(GOOD | {name: bad}).encode() for bad in WRONG if bad != -1e308)
    for name in LISTS:
        bad_lists: tuple[Any, ...] = (5, True, {"a": 1}, [5.5], [[]], [{}], [None])
        yield from (json.dumps(GOOD | {name: bad}).encode() for bad in bad_lists)
    for name in OBJECTS:
        bad_objects: tuple[Any, ...] = (5, [1], "words", {"zzz": {}}, {"type": 5})
        yield from (json.dumps(GOOD | {name: bad}).encode() for bad in bad_objects)


def wrong_ranges() -> Iterator[bytes]:
    for name in ("temperature", "top_p", "n", "max_tokens", "min_p", "presence_penalty"):
        for bad in (-1e9, -3, 1e9, 1e300):
            yield json.dumps(GOOD | {name: bad}).encode()
    yield json.dumps(GOOD | {"n": -1}).encode()
    yield json.dumps(GOOD | {"seed": 2**70}).encode()
    yield json.dumps(GOOD | {"stop": ["a"] * 5}).encode()
    yield json.dumps(GOOD | {"metadata": {str(n): "" for n in range(17)}}).encode()


def wrong_bytes() -> Iterator[bytes]:
    whole = json.dumps(GOOD).encode()
    yield from (whole[:cut] for cut in range(1, len(whole), 1))
    yield from (
        whole.replace(b"Hello", bad) for bad in (b"\xff", b"\xed\xa0\x80", b"\\ud800", b"\x00")
    )
    yield whole.replace(b'"model"', b'"model": "x", "model"')
    yield whole.replace(b'"content"', b'"content": "x", "content"')
    yield b'{"a":' * 50_000
    yield whole.decode().encode("utf-16")
    yield b"\xef\xbb\xbf" + whole
    yield from (
        json.dumps(GOOD | {"temperature": bad}).encode() for bad in (float("nan"), float("inf"))
    )
    for huge in (b"1e999", b"-1e999"):
        tool = b'{"type": "function", "function": {"name": "a", "parameters": {"x": %s}}}' % huge
        yield whole.replace(b"{", b'{"tools": [%s], ' % tool, 1)
    yield whole.replace(b"[", b'[{"role": "user", "content": ' + b"9" * 10_000 + b"}, ", 1)


def random_words() -> Iterator[bytes]:
    choose = random.Random(7)
    for _ in range(100):
        name = "".join(choose.choices("abcdefghij_", k=8))
        yield json.dumps(GOOD | {name: choose.choice(WRONG)}).encode()


SUITES = {
    "types": wrong_types,
    "ranges": wrong_ranges,
    "bytes": wrong_bytes,
    "unknown names": random_words,
}


def test_there_are_more_than_three_hundred() -> None:
    assert sum(len(list(suite())) for suite in SUITES.values()) >= 300


@pytest.mark.parametrize("name", SUITES)
def test_each_is_a_4xx_and_the_next_request_is_served(
    url: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"content-type": "application/json"}
    with httpx.Client(base_url=url, headers=headers) as client, caplog.at_level(logging.WARNING):
        for body in SUITES[name]():
            answer = client.post(CHAT, content=body)
            error = answer.json()["error"]
            assert 400 <= answer.status_code < 500, body[:200]
            assert error.keys() == {"message", "type", "param", "code"}
            assert len(answer.content) < 2000
        assert client.post(CHAT, json=GOOD).status_code == 200
    assert not caplog.records


OTHERS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "/v1/completions": (
        {"model": "sim", "prompt": "Hello."},
        ("prompt", "n", "max_tokens", "logprobs", "best_of", "stop", "logit_bias", "echo"),
    ),
    "/v1/responses": (
        {"model": "sim", "input": "Hello."},
        ("input", "max_output_tokens", "text", "tools", "tool_choice", "reasoning"),
    ),
    "/tokenize": (
        {"model": "sim", "messages": GOOD["messages"]},
        ("messages", "tools", "chat_template_kwargs", "add_special_tokens"),
    ),
    "/detokenize": ({"model": "sim", "tokens": [1]}, ("tokens", "model")),
}


WRONG_EVERYWHERE = (
    *(-1, 1e300, 5.5, "\x00", [{}], [[[]]], [None]),
    *({"zzz": {}}, {"type": 5}, {"type": "x"}),
)


def broken(good: dict[str, Any], names: tuple[str, ...]) -> Iterator[bytes]:
    whole = json.dumps(good).encode()
    for name in names:
        for bad in (
            -1,
            1e300,
            5.5,
            "\x00",
            [{}],
            [[[]]],
            [None],
            {"zzz": {}},
            {"type": 5},
            {"type": "x"},
        ):
            if not (isinstance(bad, str) and name in ("input", "prompt", "stop", "model")):
                yield json.dumps(good | {name: bad}).encode()
    yield from (whole[:cut] for cut in range(1, len(whole), 7))
    yield json.dumps(good | {"zzz": 1}).encode()


@pytest.mark.parametrize("path", OTHERS)
def test_other_endpoints_refuse_alike(
    url: str, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    good, names = OTHERS[path]
    headers = {"content-type": "application/json"}
    with httpx.Client(base_url=url, headers=headers) as client, caplog.at_level(logging.WARNING):
        for body in broken(good, names):
            answer = client.post(path, content=body)
            assert 400 <= answer.status_code < 500, body[:200]
            assert answer.json()["error"].keys() == {"message", "type", "param", "code"}
        assert client.post(path, json=good).status_code == 200
    assert not caplog.records


def test_a_ten_megabyte_string_is_a_413(url: str) -> None:
    answer = httpx.post(url + CHAT, json=GOOD | {"user": "x" * 10_000_000})
    assert answer.status_code == 413


def test_a_field_is_named_and_its_value_is_not_repeated(url: str) -> None:
    secret = "correct horse battery staple"
    answer = httpx.post(url + CHAT, json=GOOD | {"temperature": secret})
    assert answer.json()["error"]["param"] == "temperature"
    assert secret not in answer.text

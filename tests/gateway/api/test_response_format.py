"""`response_format` and `logprobs`, seen through the OpenAI SDK."""

import json
from typing import Any

import httpx
import openai
import pytest
from pydantic import BaseModel

from tests.conftest import Serve, sdk

HELLO = [{"role": "user", "content": "Name a river."}]


class River(BaseModel):
    name: str
    length_km: int
    countries: list[str]


def refusal(url: str, **fields: Any) -> dict[str, Any]:
    body = {"model": "sim", "messages": HELLO} | fields
    answer = httpx.post(f"{url}/v1/chat/completions", json=body)
    assert answer.status_code == 400
    error: dict[str, Any] = answer.json()["error"]
    return error


def test_parse_gives_the_users_own_model(client: openai.OpenAI) -> None:
    answer = client.chat.completions.parse(model="sim", messages=HELLO, response_format=River)
    assert isinstance(answer.choices[0].message.parsed, River)


def test_json_object_gives_an_object(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="sim", messages=HELLO, response_format={"type": "json_object"}
    )
    assert isinstance(json.loads(answer.choices[0].message.content or ""), dict)


def test_text_changes_nothing(client: openai.OpenAI) -> None:
    plain = client.chat.completions.create(model="sim", messages=HELLO)
    asked = client.chat.completions.create(
        model="sim", messages=HELLO, response_format={"type": "text"}
    )
    assert plain.choices == asked.choices


@pytest.mark.parametrize(
    ("form", "param"),
    [
        ({"type": "xml"}, "response_format.type"),
        ({"type": "json_schema"}, "response_format.json_schema"),
        ({"type": "text", "json_schema": {"name": "x"}}, "response_format.json_schema"),
        (
            {"type": "json_schema", "json_schema": {"name": "a b"}},
            "response_format.json_schema.name",
        ),
        (
            {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "river"}}},
            "response_format.json_schema.schema",
        ),
    ],
    ids=["unknown type", "no schema", "misplaced", "bad name", "bad schema"],
)
def test_a_bad_format_is_refused_by_name(url: str, form: dict[str, Any], param: str) -> None:
    assert refusal(url, response_format=form)["param"] == param


def test_a_bad_schema_says_where(url: str) -> None:
    schema = {"type": "object", "properties": {"age": {"type": "nonsense"}}}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    assert "properties.age.type" in refusal(url, response_format=form)["message"]


def test_an_engine_without_grammars_refuses_by_name(serve: Serve) -> None:
    error = refusal(serve({"unsupported": ["structured"]}), response_format={"type": "json_object"})
    assert (error["code"], error["param"]) == ("unsupported_parameter", "response_format")


def test_each_token_has_its_logprob(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="sim", messages=HELLO, logprobs=True, top_logprobs=3, max_tokens=4
    )
    choice = answer.choices[0]
    assert choice.logprobs is not None
    tokens = choice.logprobs.content or []
    assert "".join(token.token for token in tokens) == choice.message.content
    assert all(bytes(token.bytes or []).decode() == token.token for token in tokens)
    assert [len(token.top_logprobs) for token in tokens] == [3] * 4


def test_streamed_logprobs_join_to_the_whole(client: openai.OpenAI) -> None:
    asked: Any = {"model": "sim", "messages": HELLO, "logprobs": True, "max_tokens": 8}
    whole = client.chat.completions.create(**asked).choices[0].logprobs
    streamed = [
        token
        for chunk in client.chat.completions.create(stream=True, **asked)
        if chunk.choices[0].logprobs
        for token in chunk.choices[0].logprobs.content or []
    ]
    assert whole is not None
    assert [t.model_dump() for t in streamed] == [t.model_dump() for t in whole.content or []]


def test_completions_show_logprobs_with_offsets(serve: Serve) -> None:
    with sdk(serve()) as client:
        asked: Any = {"model": "sim", "prompt": "x", "logprobs": 2, "max_tokens": 5}
        choice = client.completions.create(**asked).choices[0]
        chunks = [chunk.choices[0] for chunk in client.completions.create(stream=True, **asked)]
    assert choice.logprobs is not None
    offsets = choice.logprobs.text_offset or []
    tokens = choice.logprobs.tokens or []
    assert [choice.text[o : o + len(t)] for o, t in zip(offsets, tokens, strict=True)] == tokens
    assert [o for c in chunks if c.logprobs for o in c.logprobs.text_offset or []] == offsets


def test_a_schema_of_many_thousand_parts_is_refused_at_once(url: str) -> None:
    many = {"type": "object", "properties": {f"p{n}": {} for n in range(600)}}
    schema = {"type": "object", "properties": {f"q{n}": many for n in range(10)}}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    body = {"model": "sim", "messages": [{"role": "user", "content": "hi"}]}
    refused = httpx.post(f"{url}/v1/chat/completions", json=body | {"response_format": form})
    assert refused.status_code == 400
    assert "5000 parts" in refused.json()["error"]["message"]

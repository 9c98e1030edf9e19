"""Everything that a client sends is bounded where it is declared."""

import asyncio
import contextlib
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pydantic import BaseModel, ConfigDict

from gateway.api.body.budget import BodyBudget
from gateway.api.body.json_bounds import JsonBounds
from gateway.api.body.route import parse_body
from gateway.api.chat.protocol import ChatCompletionRequest
from gateway.api.completions.protocol import CompletionRequest
from gateway.api.responses.protocol import ResponsesRequest
from gateway.api.schema import RequestModel
from gateway.api.tokenize import DetokenizeRequest, TokenizeRequest
from gateway.errors import ApiError
from tests.conftest import Serve

MODELS = (
    ChatCompletionRequest, CompletionRequest, ResponsesRequest, TokenizeRequest, DetokenizeRequest,
)  # fmt: skip


TYPED = {"type", "anyOf", "oneOf", "$ref", "enum", "const"}


def is_unbounded(schema: dict[str, Any]) -> bool:
    """Return whether the value itself, apart from its parts, may be arbitrarily large."""
    if not schema.keys() & TYPED:
        return "Any JSON of at most" not in schema.get("description", "")
    bounds: dict[str, set[str]] = {
        "string": {"maxLength", "enum", "const"},
        "array": {"maxItems"},
        "object": set() if schema.get("additionalProperties") is False else {"maxProperties"},
    }
    needed = bounds.get(schema.get("type", ""), set())
    return bool(needed) and not needed & schema.keys()


def unbounded(schema: Any, path: str) -> Iterator[str]:
    """Yield the path of every value in a JSON schema that may be arbitrarily large."""
    if not isinstance(schema, dict):
        return
    if is_unbounded(schema):
        yield path
    parts = {f".{name}": part for name, part in schema.get("properties", {}).items()}
    parts |= {f"[{key}]": schema.get(key) for key in ("items", "additionalProperties")}
    for name, part in parts.items():
        yield from unbounded(part, path + name)
    for part in [*schema.get("anyOf", ()), *schema.get("oneOf", ())]:
        yield from unbounded(part, path)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_field_of_a_request_is_bounded(model: type[RequestModel]) -> None:
    schema = model.model_json_schema()
    found = list(unbounded(schema, model.__name__))
    for name, part in schema.get("$defs", {}).items():
        if name not in {"OtherItem", "HostedItem", "HostedName", "HostedTool"}:  # only their type
            found += unbounded(part, name)
    assert found == []


def test_the_walk_finds_what_is_not_bounded() -> None:
    class Open(BaseModel):
        model_config = ConfigDict(extra="forbid")

        text: str
        items: list[int]
        anything: Any
        more: dict[str, int]

    assert len(list(unbounded(Open.model_json_schema(), "Open"))) == 4


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"[" + b"1," * 100 + b"1]", "more than 50 values"),
        (b'{"a": ' + b"[" * 30 + b"]" * 30 + b"}", "more than 8 levels"),
    ],
)
def test_a_document_beyond_the_bounds_is_refused_before_it_is_parsed(
    raw: bytes, message: str
) -> None:
    with pytest.raises(ApiError, match=message):
        JsonBounds(values=50, depth=8).check(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"text": "' + b"[{,]}" * 100 + b'"}',
        b'{"text": "' + b'\\"[,' * 100 + b'"}',
        b'{"a": [[1], [2], {"b": []}]}',
    ],
)
def test_brackets_and_commas_in_a_text_do_not_count(raw: bytes) -> None:
    JsonBounds(values=50, depth=8).check(raw)


@pytest.mark.parametrize("bias", [{"01": 1}, {"1": 1, "01": 2}, {"+1": 1}, {"1_0": 1}, {"¹": 1}])
def test_a_token_id_has_one_spelling(url: str, bias: dict[str, int]) -> None:
    body = {"model": "sim", "messages": [{"role": "user", "content": "x"}], "logit_bias": bias}
    answer = httpx.post(f"{url}/v1/chat/completions", json=body)
    assert (answer.status_code, answer.json()["error"]["param"][:10]) == (400, "logit_bias")


@pytest.mark.parametrize(
    ("field", "value"), [("stop_token_ids", [5, 2**31 - 1]), ("logit_bias", {"999999999": 1})]
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_token_that_the_model_does_not_have_is_a_400_with_the_bound(
    url: str, field: str, value: Any, stream: bool
) -> None:
    body = {"model": "sim", "prompt": "x", "stream": stream, field: value}
    answer = httpx.post(f"{url}/v1/completions", json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, field)
    assert re.fullmatch(rf"Invalid '{field}': token ids .* are from 0 to \d+\.", error["message"])


def test_a_key_that_is_half_a_surrogate_and_comes_twice_is_a_400(url: str) -> None:
    answer = httpx.post(
        f"{url}/v1/completions",
        content=b'{"\\ud800": 1, "\\ud800": 2}',
        headers={"content-type": "application/json"},
    )
    assert answer.status_code == 400
    assert "twice" in answer.json()["error"]["message"]


def test_more_completions_than_can_be_served_are_refused_before_they_are_built(url: str) -> None:
    body = {"model": "sim", "prompt": ["x"] * 128, "n": 128}
    answer = httpx.post(f"{url}/v1/completions", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "n")
    assert "16384" in answer.json()["error"]["message"]


async def test_all_bodies_together_have_a_limit(serve: Serve) -> None:
    url = serve(limits={"max_body_bytes_in_flight": 100_000})
    request = (
        b"POST /tokenize HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: 90000\r\n\r\n" + b" " * 80_000
    )
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    await writer.drain()
    async with httpx.AsyncClient() as client:
        body = {"model": "sim", "prompt": "x " * 20_000}
        for _ in range(100):
            answer = await client.post(f"{url}/tokenize", json=body)
            if answer.status_code == 503:
                break
            await asyncio.sleep(0.02)
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        writer.close()
        await writer.wait_closed()
        for _ in range(100):
            answer = await client.post(f"{url}/tokenize", json=body)
            if answer.status_code != 503:
                break
            await asyncio.sleep(0.02)
    assert answer.status_code in (200, 400)
    del reader


def test_a_reservation_is_released_however_it_ends() -> None:
    budget = BodyBudget(10)
    with contextlib.suppress(ApiError), budget.reservation() as reservation:
        reservation.add(8)
        assert budget.used == 8
        reservation.add(8)
    assert budget.used == 0


def test_a_large_body_with_an_unknown_key_names_it() -> None:
    raw = b'{"model": "sim", "prompt": "x", ' + b'"k": 0, ' + b'"pad": "' + b"a" * 100_000 + b'"}'
    _, unknown = parse_body(raw, CompletionRequest)
    assert unknown == ["k", "pad"]

"""The API reference: a valid document, true of what is answered, shown without another host."""

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema
import pytest
from openapi_spec_validator import validate

from tests.conftest import Serve

CHAT = {"model": "sim", "messages": [{"role": "user", "content": "Hello."}], "max_tokens": 6}
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
CALL = {"when": "weather", "reply": '<tool_call>{"name": "weather", "arguments": {}}</tool_call>'}


@pytest.fixture(scope="module")
def document(url: str) -> dict[str, Any]:
    return dict(httpx.get(f"{url}/openapi.json").json())


def test_it_is_a_valid_openapi_document(document: dict[str, Any]) -> None:
    validate(document)


def test_every_post_has_the_schema_of_its_body(document: dict[str, Any]) -> None:
    posts = {path: verbs["post"] for path, verbs in document["paths"].items() if "post" in verbs}
    del posts["/ping"]  # which has none
    assert len(posts) >= 5
    for path, operation in posts.items():
        ref = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        assert resolve(document, ref)["properties"]["model"], path
        assert operation["requestBody"]["required"], path


def test_every_error_has_openais_shape(document: dict[str, Any]) -> None:
    chat = document["paths"]["/v1/chat/completions"]["post"]["responses"]
    for status in ("400", "401", "404", "413", "415", "429", "503", "504", "default"):
        schema = chat[status]["content"]["application/json"]["schema"]
        assert schema == {"$ref": "#/components/schemas/ErrorBody"}


def test_it_names_the_content_codings(document: dict[str, Any]) -> None:
    assert "`Content-Encoding` of gzip, deflate, zstd" in document["info"]["description"]


def test_what_is_not_supported_may_only_be_null(document: dict[str, Any]) -> None:
    fields = document["components"]["schemas"]["ChatCompletionRequest"]["properties"]
    assert fields["functions"]["type"] == "null"
    assert "tools" in fields["functions"]["description"]


WHOLE = {
    "a chat": ("/v1/chat/completions", CHAT),
    "a chat with logprobs": ("/v1/chat/completions", CHAT | {"logprobs": True, "top_logprobs": 2}),
    "a tool call": (
        "/v1/chat/completions",
        CHAT | {"messages": [{"role": "user", "content": "weather"}], "tools": TOOLS,
                "max_tokens": 60},
    ),
    "a tier": ("/v1/chat/completions", CHAT | {"service_tier": "auto"}),
    "reasoning": ("/v1/chat/completions", CHAT | {"model": "thinking", "max_tokens": 60}),
    "a completion": ("/v1/completions", {"model": "sim", "prompt": "Hello.", "logprobs": 1}),
    "a response": ("/v1/responses", {"model": "sim", "input": "Hello.", "top_logprobs": 1}),
    "a response that is cut": (
        "/v1/responses", {"model": "sim", "input": "Hello.", "max_output_tokens": 2},
    ),
    "tokens": ("/tokenize", {"model": "sim", "prompt": "Hello.", "return_token_strs": True}),
    "text of tokens": ("/detokenize", {"model": "sim", "tokens": [1, 2]}),
}  # fmt: skip


@pytest.fixture(scope="module")
def models() -> Iterator[str]:
    """The URL of a gateway whose models write tool calls, and reason."""
    from gateway.config import parse_config
    from tests.conftest import running

    device = {"kind": "simulated", "time_scale": 0, "scripts": [CALL]}
    thinking = {"when": "Hello", "reply": "<think>the river</think>A river."}
    config = {
        "models": [
            {"id": "sim", "aliases": ["other"], "engine": {"device": device}},
            {"id": "thinking", "reasoning": "think",
             "engine": {"device": device | {"scripts": [thinking]}}},
        ]
    }  # fmt: skip
    with running(parse_config(config, "test")) as url:
        yield url


@pytest.mark.parametrize("case", WHOLE.values(), ids=WHOLE)
def test_a_whole_answer_fits_its_schema(
    models: str, document: dict[str, Any], case: tuple[str, dict[str, Any]]
) -> None:
    path, body = case
    answer = httpx.post(f"{models}{path}", json=body)
    assert answer.status_code == 200, answer.text
    schema = document["paths"][path]["post"]["responses"]["200"]["content"]["application/json"]
    check(document, schema["schema"], answer.json())


STREAMS = {name: case for name, case in WHOLE.items() if case[0].startswith("/v1")}


@pytest.mark.parametrize("case", STREAMS.values(), ids=STREAMS)
def test_every_frame_fits_its_schema(
    models: str, document: dict[str, Any], case: tuple[str, dict[str, Any]]
) -> None:
    path, body = case
    options = {} if path == "/v1/responses" else {"stream_options": {"include_usage": True}}
    answer = httpx.post(f"{models}{path}", json=body | {"stream": True} | options)
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines()]
    frames = [json.loads(line) for line in lines if line.startswith("{")]
    assert len(frames) > 2
    content = document["paths"][path]["post"]["responses"]["200"]["content"]["text/event-stream"]
    data, end = content["schema"]["properties"]["data"]["anyOf"]
    assert end == {"const": "[DONE]"}
    for frame in frames:
        check(document, data["contentSchema"], frame)


@pytest.mark.parametrize(
    "path", ["/v1/models", "/v1/models/{name}", "/readyz", "/healthz", "/version", "/"]
)
def test_what_can_be_read_fits_its_schema(models: str, document: dict[str, Any], path: str) -> None:
    answer = httpx.get(models + path.format(name="sim"))
    schema = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
    check(document, schema["schema"], answer.json())


def test_an_error_fits_its_schema(models: str, document: dict[str, Any]) -> None:
    answer = httpx.post(f"{models}/v1/completions", json={"model": "sim"})
    assert answer.status_code == 400
    check(document, {"$ref": "#/components/schemas/ErrorBody"}, answer.json())


def test_the_page_has_nothing_of_another_host(url: str) -> None:
    page = httpx.get(f"{url}/docs").text
    sources = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert {"/docs/assets/swagger-ui-bundle.js", "/docs/assets/swagger-ui.css"} <= set(sources)
    for source in sources:
        assert source.startswith(("/", "data:")), source
    assert httpx.get(f"{url}/docs/assets/swagger-ui-bundle.js").status_code == 200
    assert "url: '/openapi.json'" in page


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/docs/assets/swagger-ui.css"])
def test_it_can_be_off(serve: Serve, path: str) -> None:
    assert httpx.get(serve(docs=False) + path).status_code == 404


def resolve(document: dict[str, Any], ref: str) -> dict[str, Any]:
    return dict(document["components"]["schemas"][ref.rpartition("/")[2]])


def check(document: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    """Check a value against a schema in which every field has to be documented."""
    root = closed({"components": copy.deepcopy(document["components"]), **schema})
    jsonschema.validate(value, root, jsonschema.Draft202012Validator)


def closed(schema: Any) -> Any:
    """Forbid undocumented fields in every object."""
    if isinstance(schema, dict):
        if schema.get("type") == "object" and "properties" in schema:
            schema.setdefault("additionalProperties", False)
        for part in schema.values():
            closed(part)
    elif isinstance(schema, list):
        for part in schema:
            closed(part)
    return schema

"""Every response validates strictly against the SDK's types; the SDK itself does not validate."""

import json
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import httpx
import pytest
from openai.types import Completion, Model
from openai.types import completion_create_params as text_params
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat import completion_create_params as chat_params
from openai.types.shared import ErrorObject
from pydantic import BaseModel

from tests.clients.weather import ASK, DEVICE, HELLO, TOOLS
from tests.conftest import Serve, running, simulated

CHAT: dict[str, Any] = {"model": "sim", "messages": HELLO}
TEXT: dict[str, Any] = {"model": "sim", "prompt": "Once upon"}
SCHEMA = TOOLS[0]["function"]["parameters"]
CUSTOM = {"type": "custom", "custom": {"name": "patch", "description": "Change a file."}}
FORM = {"type": "json_schema", "json_schema": {"name": "city", "schema": SCHEMA, "strict": True}}

CHATS: dict[str, dict[str, Any]] = {
    "plain": {},
    "choices": {"n": 3},
    "cut short": {"max_tokens": 3},
    "logprobs": {"logprobs": True, "top_logprobs": 3},
    "logprobs of choices": {"logprobs": True, "n": 2},
    "schema": {"response_format": FORM},
    "tools unused": {"tools": TOOLS},
    "call": {"messages": ASK, "tools": TOOLS},
    "call with logprobs": {"messages": ASK, "tools": TOOLS, "logprobs": True},
    "calls": {"messages": [{"role": "user", "content": "And both weather?"}], "tools": TOOLS},
    "required call": {"tools": TOOLS, "tool_choice": "required"},
    "custom tool": {"tools": [CUSTOM], "tool_choice": "required"},
    "named custom tool": {
        "tools": [CUSTOM],
        "tool_choice": {"type": "custom", "custom": {"name": "patch"}},
    },
    "named call": {
        "tools": TOOLS,
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
    },
    "service tier": {"service_tier": "auto", "store": False, "metadata": {"a": "b"}},
}
TEXTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "prompts": {"prompt": ["a", "b"], "n": 2},
    "token ids": {"prompt": [1, 2, 3]},
    "logprobs": {"logprobs": 3},
    "long": {"max_tokens": 200},
}


def cases(fields: dict[str, dict[str, Any]]) -> Any:
    return pytest.mark.parametrize("fields", fields.values(), ids=fields.keys())


@pytest.fixture(scope="module")
def weather_url() -> Iterator[str]:
    with running(simulated(DEVICE)) as url:
        yield url


def post(url: str, body: dict[str, Any]) -> httpx.Response:
    answer = httpx.post(url, json=body)
    assert answer.status_code == 200, answer.text
    return answer


def frames(url: str, body: dict[str, Any]) -> list[Any]:
    """Return a stream's JSON documents; assert that its last frame is `[DONE]`."""
    options = {"stream": True, "stream_options": {"include_usage": True}}
    *texts, done, rest = post(url, body | options).text.split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    return [json.loads(text.removeprefix("data: ")) for text in texts if text[0] != ":"]


def extras(value: Any, path: str = "") -> set[str]:
    """Yield the names of fields that the SDK does not define."""
    found: set[str] = set()
    if isinstance(value, list):
        found = found.union(*(extras(one, f"{path}[]") for one in value))
    if isinstance(value, BaseModel):
        found |= {f"{path}.{name}" for name in value.model_extra or {}}
        for name in type(value).model_fields:
            found |= extras(getattr(value, name), f"{path}.{name}")
    return found


def is_strictly(document: Any, type_: type[BaseModel]) -> None:
    """Assert that a document is of a type, without conversion and without unknown fields."""
    assert extras(type_.model_validate(document, strict=True)) == set()


def nullable(choice: dict[str, Any]) -> None:
    """Assert that a choice has the fields that OpenAI requires, null or not."""
    assert {"index", "finish_reason", "logprobs"} <= choice.keys()
    assert choice["logprobs"] is None or choice["logprobs"].keys() >= {"content", "refusal"}


@cases(CHATS)
def test_a_chat_completion_is_of_its_type(weather_url: str, fields: dict[str, Any]) -> None:
    document = post(f"{weather_url}/v1/chat/completions", CHAT | fields).json()
    is_strictly(document, ChatCompletion)
    for choice in document["choices"]:
        nullable(choice)
        assert {"content", "refusal", "role"} <= choice["message"].keys()


# The type of a chunk knows no custom tools, which chats have nevertheless.
@cases({name: fields for name, fields in CHATS.items() if "custom" not in name})
def test_every_chunk_of_a_chat_is_of_its_type(weather_url: str, fields: dict[str, Any]) -> None:
    chunks = frames(f"{weather_url}/v1/chat/completions", CHAT | fields)
    for chunk in chunks:
        is_strictly(chunk, ChatCompletionChunk)
        assert all({"finish_reason", "logprobs"} <= choice.keys() for choice in chunk["choices"])
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in chunks}) == 1


@cases(TEXTS)
def test_a_completion_is_of_its_type(weather_url: str, fields: dict[str, Any]) -> None:
    document = post(f"{weather_url}/v1/completions", TEXT | fields).json()
    is_strictly(document, Completion)
    assert all("logprobs" in choice for choice in document["choices"])


@cases(TEXTS)
def test_every_chunk_of_a_completion_is_of_its_type(
    weather_url: str, fields: dict[str, Any]
) -> None:
    for chunk in frames(f"{weather_url}/v1/completions", TEXT | fields):
        for choice in chunk["choices"]:
            choice["finish_reason"] = (
                choice["finish_reason"] or "stop"
            )  # the type does not allow null
        is_strictly(chunk, Completion)


def test_models_are_of_their_type_with_three_more_fields(weather_url: str) -> None:
    (document,) = httpx.get(f"{weather_url}/v1/models").json()["data"]
    model = Model.model_validate(document, strict=True)
    assert extras(model) == {".max_model_len", ".phase", ".unsupported"}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": 3},
        {"model": "gpt"},
        {"max_token": 1},
        {"messages": [{"role": "user", "content": "x " * 9000}]},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_every_rejection_is_of_its_type(url: str, fields: dict[str, Any], stream: bool) -> None:
    answer = httpx.post(f"{url}/v1/chat/completions", json=CHAT | fields | {"stream": stream})
    assert answer.json().keys() == {"error"}
    is_strictly(answer.json()["error"], ErrorObject)


def test_an_error_frame_is_of_its_type(serve: Serve) -> None:
    url = serve({"faults": {"fail_at_token": 3}})
    *_, last = frames(f"{url}/v1/chat/completions", CHAT)
    is_strictly(last["error"], ErrorObject)


@pytest.mark.parametrize(
    ("path", "params", "body"),
    [
        ("chat/completions", chat_params.CompletionCreateParamsNonStreaming, CHAT),
        ("completions", text_params.CompletionCreateParamsNonStreaming, TEXT),
    ],
    ids=["chat", "completions"],
)
def test_every_parameter_of_the_sdk_is_known(
    url: str, path: str, params: type, body: dict[str, Any]
) -> None:
    names = get_type_hints(params).keys() - body.keys()
    answers = {name: httpx.post(f"{url}/v1/{path}", json=body | {name: None}) for name in names}
    taken = {name for name, answer in answers.items() if answer.status_code == 200}
    assert taken == names
    assert not any("x-ignored-fields" in answer.headers for answer in answers.values())


def test_every_service_tier_of_the_sdk_is_known(url: str) -> None:
    hint = get_type_hints(chat_params.CompletionCreateParamsNonStreaming)["service_tier"]
    tiers = [value for one in get_args(hint) for value in get_args(one)]
    assert "auto" in tiers
    bodies = {tier: CHAT | {"service_tier": tier} for tier in tiers}
    answers = {t: httpx.post(f"{url}/v1/chat/completions", json=b) for t, b in bodies.items()}
    assert {tier for tier, answer in answers.items() if answer.status_code != 200} == set()

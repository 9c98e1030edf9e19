"""What happens to names that no endpoint knows, to neutral values, and to hints."""

import json
import logging
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.keys.store import new_key
from tests.conftest import Serve, wait_until

HELLO = [{"role": "user", "content": "Hello."}]
PATHS = {
    "/v1/chat/completions": {"messages": HELLO},
    "/v1/completions": {"prompt": "Hello."},
    "/v1/responses": {"input": "Hello."},
    "/tokenize": {"prompt": "Hello."},
    "/detokenize": {"tokens": [1]},
}
FUNCTION = {"name": "weather", "parameters": {"type": "object", "properties": {}}}
REPORTED = "x-ignored-fields"


def post(url: str, path: str = "/v1/chat/completions", **fields: Any) -> httpx.Response:
    return httpx.post(url + path, json={"model": "sim"} | PATHS[path] | fields, timeout=10)


def names(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return answer.headers.get(REPORTED, "").split(", ") if REPORTED in answer.headers else []


@pytest.mark.parametrize("stream", [False, True])
def test_foreign_names_at_all_depths_are_taken_and_reported(url: str, stream: bool) -> None:
    part = {"type": "text", "text": "Hello.", "cache_control": {"type": "ephemeral"}, "zzz": 1}
    call = {"id": "c", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    messages = [
        {"role": "system", "content": [part], "uuid": "1", "createdAt": 5},
        {"role": "user", "content": "Hello.", "parts": [], "experimental_attachments": []},
        {"role": "assistant", "content": None, "tool_calls": [call | {"extra_content": {}}]},
        {"role": "tool", "content": "sunny", "tool_call_id": "c", "isError": False},
    ]
    messages[2]["tool_calls"][0]["function"] |= {"thought_signature": "x"}  # type: ignore[index]
    tool = {"type": "function", "function": FUNCTION | {"returns": {}}, "cache_control": {}}
    top = {f"vendor_{n}": {"deep": [n]} for n in range(9)}
    answer = post(url, messages=messages, tools=[tool], stream=stream, **top)
    assert sorted(names(answer)) == sorted(
        [
            *top,
            "messages[0].content[0].cache_control",
            "messages[0].content[0].zzz",
            "messages[0].uuid",
            "messages[0].createdAt",
            "messages[1].parts",
            "messages[1].experimental_attachments",
            "messages[2].tool_calls[0].extra_content",
            "messages[2].tool_calls[0].function.thought_signature",
            "messages[3].isError",
            "tools[0].cache_control",
            "tools[0].function.returns",
        ]
    )
    assert len(names(answer)) == 20


@pytest.mark.parametrize("path", PATHS)
def test_every_endpoint_reports_alike(url: str, path: str) -> None:
    assert names(post(url, path, trace_id="x")) == ["trace_id"]
    assert names(post(url, path)) == []


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("max_token", "max_tokens"),
        ("temprature", "temperature"),
        ("Temperature", "temperature"),
        ("respones_format", "response_format"),
        ("top_P", "top_p"),
        ("steam", "stream"),
        ("stoop", "stop"),
    ],
)
def test_a_misspelt_name_is_refused_with_the_right_spelling(
    url: str, wrong: str, meant: str
) -> None:
    error = post(url, **{wrong: 5}).json()["error"]
    assert (error["param"], error["code"]) == (wrong, "unknown_parameter")
    assert f"Did you mean '{meant}'?" in error["message"]


def test_a_misspelt_name_within_a_message_is_refused_with_its_path(url: str) -> None:
    answer = post(url, messages=[HELLO[0] | {"tool_call": []}])
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, "messages[0].tool_call")
    assert "Did you mean 'tool_calls'?" in error["message"]


@pytest.mark.parametrize(
    "fields",
    [
        {"models": ["a", "b"]},  # OpenRouter's fallbacks
        {"provider": {"order": ["x"]}, "transforms": []},  # OpenRouter
        {"thinking": {"type": "enabled"}},  # Anthropic's and Z.ai's
        {"keep_alive": "5m", "options": {"num_ctx": 8192}},  # Ollama
        {"ids": [1], "tags": ["a"], "title": "x", "user_id": "me"},
    ],
)
def test_names_of_other_servers_are_not_taken_for_misspelt_ones(
    url: str, fields: dict[str, Any]
) -> None:
    assert names(post(url, **fields)) == list(fields)


NEUTRAL = (
    {"use_beam_search": False, "length_penalty": 1.0, "early_stopping": False},
    {"best_of": 1, "priority": 0, "echo": False, "top_a": 0, "typical_p": 1},
    {"frequency_penalty": 0, "presence_penalty": 0, "logit_bias": {}, "tools": []},
    {"guided_json": None, "guided_choice": None, "bad_words": [], "functions": []},
    {"tools": [], "tool_choice": "auto"},
    {"reasoning_effort": "none"},
    {"enable_thinking": False},
    {"chat_template_kwargs": {"enable_thinking": False}},
)


@pytest.mark.parametrize("fields", NEUTRAL, ids=json.dumps)
def test_a_neutral_value_is_taken(url: str, fields: dict[str, Any]) -> None:
    assert names(post(url, **fields)) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"use_beam_search": True}, {"best_of": 3}, {"echo": True}, {"length_penalty": 2},
        {"guided_regex": "a+"}, {"guided_choice": ["a"]}, {"priority": 3}, {"top_a": 0.5},
        {"max_new_tokens": 5}, {"n_predict": 5}, {"grammar": "root ::= x"},
    ],
    ids=json.dumps,
)  # fmt: skip
def test_a_foreign_parameter_that_would_change_the_answer_is_refused(
    url: str, fields: dict[str, Any]
) -> None:
    (name,) = fields
    answer = post(url, **fields)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, name)
    assert error["code"] == "unsupported_parameter"


@pytest.mark.parametrize(
    "fields",
    [
        {"guided_json": {"type": "object", "properties": {"a": {"const": 5}}, "required": ["a"]}},
        {"guided_json": '{"type": "object", "properties": {"a": {"const": 5}}, "required": ["a"]}'},
        {"structured_outputs": {"json": {"type": "object", "properties": {"a": {"const": 5}}}}},
    ],
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions"])
def test_the_names_of_vllm_for_a_json_schema_are_honoured(
    url: str, path: str, fields: dict[str, Any]
) -> None:
    choice = post(url, path, max_tokens=100, **fields).json()["choices"][0]
    text = choice["message"]["content"] if "message" in choice else choice["text"]
    assert json.loads(text) == {"a": 5}


def test_unknown_fields_can_be_refused_and_a_key_has_its_own(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    lax = new_key(file, "lax", unknown_fields="report", unsupported_hints="report")
    strict = new_key(file, "strict")
    url = serve(keys_file=str(file), unknown_fields="refuse", unsupported_hints="refuse")
    body = {"messages": HELLO, "trace_id": "x", "verbosity": "low"}

    def ask(key: str, **fields: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {key}"}
        return httpx.post(f"{url}/v1/chat/completions", json=body | fields, headers=headers)

    assert names(ask(lax)) == ["trace_id", "verbosity"]
    refused = ask(strict).json()["error"]
    assert (refused["param"], refused["code"]) == ("trace_id", "unknown_parameter")
    del body["trace_id"]
    assert ask(strict).json()["error"]["param"] == "verbosity"


def test_a_seed_for_a_device_that_draws_by_itself_is_reported(serve: Serve) -> None:
    url = serve({"unsupported": ["seed"]})
    assert names(post(url, seed=5)) == ["seed"]
    assert names(post(url, "/v1/completions", seed=5, n=2)) == ["seed"]
    (model,) = httpx.get(f"{url}/v1/models").json()["data"]
    assert (model["ignored"], model["unsupported"]) == (["seed"], [])


def test_a_seed_for_such_a_device_can_be_refused(serve: Serve) -> None:
    url = serve({"unsupported": ["seed"]}, unsupported_hints="refuse")
    assert post(url, seed=5).json()["error"]["param"] == "seed"


@pytest.mark.parametrize(
    ("path", "fields", "hint"),
    [
        ("/v1/chat/completions", {"verbosity": "low"}, "verbosity"),
        ("/v1/responses", {"text": {"verbosity": "low"}}, "text.verbosity"),
        ("/v1/chat/completions", {"reasoning_effort": "high"}, "reasoning_effort"),
        ("/v1/responses", {"reasoning": {"effort": "high"}}, "reasoning.effort"),
        ("/v1/chat/completions", {"enable_thinking": True}, "enable_thinking"),
    ],
)
def test_a_hint_without_effect_is_reported_or_refused(
    url: str, serve: Serve, path: str, fields: dict[str, Any], hint: str
) -> None:
    assert names(post(url, path, **fields)) == [hint]
    answer = post(serve(unsupported_hints="refuse"), path, **fields)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, hint)


def test_ignored_fields_are_in_the_log_and_in_a_metric(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    url = serve()
    with caplog.at_level(logging.INFO, "gateway.observe.access_log"):
        post(url, messages=[HELLO[0] | {"uuid": "1"}] * 3, trace_id="x")
        wait_until(lambda: bool(caplog.messages))
    logged = json.loads(caplog.messages[-1])["ignored_fields"]
    assert logged == "trace_id, messages[0].uuid, messages[1].uuid, messages[2].uuid"
    metrics = httpx.get(f"{url}/metrics").text
    assert 'ignored_fields_total{field="messages.uuid"} 1.0' in metrics


def test_the_metric_has_a_bounded_number_of_labels(serve: Serve) -> None:
    url = serve()
    for start in range(0, 300, 50):
        post(url, **{f"vendor_{n}_name": 1 for n in range(start, start + 50)})
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    labels = [line for line in lines if line.startswith("neuron_gateway_ignored_fields_total{")]
    assert len(labels) == 101
    assert any('field="other"' in line for line in labels)


def test_the_header_is_bounded_and_holds_no_text_of_a_user(url: str) -> None:
    answer = post(url, **{"my password, in a name\r\nx: y": 1, "é": 2})
    assert names(answer) == ["?"]
    header = post(url, **{f"vendor_{n}_name": 1 for n in range(500)}).headers[REPORTED]
    assert len(header) <= 1024
    assert header.endswith(", ...")


def test_a_request_without_a_model_is_for_the_only_one(url: str) -> None:
    for path, fields in PATHS.items():
        answer = httpx.post(url + path, json=fields)
        assert answer.status_code == 200
        assert answer.json().get("model", "sim") == "sim"


def test_with_two_models_a_request_has_to_name_one(serve: Serve) -> None:
    device = {"kind": "simulated", "time_scale": 0}
    models = [{"id": name, "engine": {"device": device}} for name in ("a", "b")]
    url = serve(models=models)
    error = httpx.post(f"{url}/v1/completions", json={"prompt": "Hello."}).json()["error"]
    assert (error["param"], error["code"]) == ("model", "missing_required_parameter")


def test_tools_are_refused_where_they_are_off(serve: Serve) -> None:
    url = serve(model={"tools": "off"})
    tools = [{"type": "function", "function": FUNCTION}]
    assert post(url, tools=tools).json()["error"]["param"] == "tools"
    assert post(url, tools=tools, tool_choice="none").status_code == 200


@pytest.mark.parametrize("name", ["mcp.server/tool-1", "a" * 128])
def test_names_of_functions_are_as_mcp_makes_them(serve: Serve, name: str) -> None:
    url = serve(engine={"max_model_len": 10**6})
    tools = [{"type": "function", "function": FUNCTION | {"name": name}}]
    assert names(post(url, tools=tools * 1024)) == []


def test_as_many_stop_strings_as_autocompletion_sends_are_taken(url: str) -> None:
    assert names(post(url, stop=[f"<{n}>" for n in range(64)])) == []


@pytest.mark.parametrize("content", [None, []])
def test_an_empty_answer_sent_back_is_taken(url: str, content: Any) -> None:
    messages = [*HELLO, {"role": "assistant", "content": content}, *HELLO]
    assert names(post(url, messages=messages)) == []


def test_reasoning_can_be_left_out(serve: Serve) -> None:
    scripts = [{"when": "Hello", "reply": "<think>the river</think>A river."}]
    url = serve({"scripts": scripts}, model={"reasoning": "think"})
    message = post(url, include_reasoning=False).json()["choices"][0]["message"]
    assert message["content"] == "A river."
    assert not message.keys() & {"reasoning", "reasoning_content"}
    stream = post(url, include_reasoning=False, stream=True).text
    assert "reasoning" not in stream
    assert '"content":" river' in stream

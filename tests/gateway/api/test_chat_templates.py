"""Conversations with tools on simulated models that have a real chat template."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import Serve
from tests.engine.prompts.published import FAMILIES, folder_of

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "The weather of a city.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
]
QUESTION = {"role": "user", "content": "weather? "}
CALL = '<tool_call>{"name": "weather", "arguments": {"city": "Zürich"}}</tool_call>'
SCRIPTS = [{"when": "drizzle", "reply": "Take a coat."}, {"when": "weather?", "reply": CALL}]
STRICT = (
    "{% for m in messages %}{% if m.content is not string or loop.index0 % 2 != (m.role != 'user') "
    "%}{{ raise_exception('no') }}{% endif %}[{{ m.role }}]{{ m.content }}{% endfor %}"
)


def ask(url: str, *messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    body = {"model": "sim", "messages": messages, "max_tokens": 40} | fields
    answer = httpx.post(f"{url}/v1/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    whole: dict[str, Any] = answer.json()
    return whole


def answer_with_a_tool(url: str) -> None:
    """Call a tool and send the call back with its result, as every agent does."""
    first = ask(url, QUESTION, tools=TOOLS)
    assert first["usage"]["prompt_tokens"] > ask(url, QUESTION)["usage"]["prompt_tokens"] + 20
    said = first["choices"][0]["message"]
    assert said["content"] is None
    (call,) = said["tool_calls"]
    result = {"role": "tool", "tool_call_id": call["id"], "content": "drizzle"}
    second = ask(url, QUESTION, said, result, tools=TOOLS)
    assert second["choices"][0]["message"]["content"] == "Take a coat."


def test_a_call_is_answered_with_a_strict_template(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "chat_template.jinja").write_text(STRICT)
    answer_with_a_tool(serve({"template": str(tmp_path), "scripts": SCRIPTS}))


def test_a_call_is_answered_with_the_plain_template(serve: Serve) -> None:
    answer_with_a_tool(serve({"scripts": SCRIPTS}))


@pytest.mark.templates
@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", FAMILIES)
def test_a_call_is_answered_with_a_published_template(serve: Serve, name: str) -> None:
    url = serve({"template": str(folder_of(name)), "scripts": SCRIPTS})
    answer_with_a_tool(url)
    body = {"model": "sim", "messages": [QUESTION], "tools": TOOLS}
    tokens = httpx.post(f"{url}/tokenize", json=body).json()
    assert tokens["count"] == ask(url, QUESTION, tools=TOOLS)["usage"]["prompt_tokens"]


def test_tokenize_has_the_tokens_of_generation(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "chat_template.jinja").write_text(STRICT)
    url = serve({"template": str(tmp_path)})
    messages = [{"role": "system", "content": "Terse."}, QUESTION, QUESTION]
    counted = httpx.post(f"{url}/tokenize", json={"model": "sim", "messages": messages}).json()
    assert counted["count"] == ask(url, *messages)["usage"]["prompt_tokens"]


@pytest.mark.parametrize(
    ("template", "tools", "ignored"),
    [
        ("{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}",
         "gateway", ["enable_thinking", "reasoning_effort"]),
        ("{{ tools | tojson }}{{ enable_thinking }}{% for m in messages %}<{{ m.role }}>"
         "{{ m.content }}{{ (m.tool_calls or '') | tojson }}{% endfor %}",
         "template", ["reasoning_effort"]),
    ],
)  # fmt: skip
def test_a_model_says_who_writes_tools_and_which_hints_are_ignored(
    serve: Serve, tmp_path: Path, template: str, tools: str, ignored: list[str]
) -> None:
    (tmp_path / "chat_template.jinja").write_text(template)
    url = serve({"template": str(tmp_path)})
    (model,) = httpx.get(f"{url}/v1/models").json()["data"]
    assert (model["tools"], model["ignored"]) == (tools, ignored)
    off = serve({"template": str(tmp_path)}, model={"tools": "off"})
    assert httpx.get(f"{off}/v1/models").json()["data"][0]["tools"] == "off"

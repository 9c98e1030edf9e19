"""vLLM's own parsers as the oracle of what the formats write."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from engine import Chat, GenerateRequest
from engine.tool_formats import FORMATS, DeepSeekV3, Hermes, Llama3Json, Mistral
from engine.vllm.request import vllm_request

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(120), pytest.mark.filterwarnings("default")]

CALLS = [
    ("weather", {"city": 'Zürich\'s "old" town\n', "days": -2, "at": {"a": [1, None, 1.5]}}),
    ("clock", {}),
]
TYPES = {"city": "string", "days": "integer", "at": "object"}
SCHEMA = {"type": "object", "properties": {name: {"type": type_} for name, type_ in TYPES.items()}}
TOOLS = [
    {"type": "function", "function": {"name": "weather", "parameters": SCHEMA}},
    {"type": "function", "function": {"name": "clock"}},
]
TOKENS = (
    DeepSeekV3.BEGIN, DeepSeekV3.END, DeepSeekV3.CALL, DeepSeekV3.END_CALL, DeepSeekV3.SEPARATOR,
    Hermes.BEGIN, Hermes.END, Mistral.BEGIN, Llama3Json.TAG,
)  # fmt: skip


class Vocabulary:
    """As much of a tokenizer as the parsers read."""

    all_special_tokens: tuple[str, ...] = ()

    def get_vocab(self) -> dict[str, int]:
        return {token: position for position, token in enumerate(TOKENS)}

    def encode(self, text: str, **_: Any) -> list[int]:
        return [*text.encode()]


@pytest.fixture(autouse=True)
def vllm() -> Any:
    return pytest.importorskip("vllm")


@pytest.mark.parametrize(
    ("parser", "family"),
    [
        *((name, name) for name in ("llama3_json", "hermes", "mistral", "pythonic")),
        *((name, name) for name in ("qwen3_coder", "deepseek_v3")),
        ("llama4_pythonic", "pythonic"),
    ],
)
def test_vllm_reads_what_a_format_writes(parser: str, family: str) -> None:
    from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
    from vllm.tool_parsers import ToolParserManager

    said = [{"role": "user", "content": "Hello."}]
    request = ChatCompletionRequest(model="m", messages=said, tools=TOOLS)
    make = ToolParserManager.get_tool_parser(parser)
    found = make(Vocabulary(), request.tools).extract_tool_calls(
        FORMATS[family].write_calls(CALLS), request
    )
    read = [(call.function.name, json.loads(call.function.arguments)) for call in found.tool_calls]
    assert (read, found.content) == (CALLS, None)


@pytest.mark.parametrize(
    ("chat", "skipped"),
    [
        ({"tool_format": "harmony"}, False),
        ({"tool_format": "hermes"}, True),
        ({"tool_format": "hermes", "tools": ({"type": "function"},)}, False),
        ({}, True),
    ],
    ids=str,
)
def test_parsers_see_the_special_tokens_that_they_read(chat: dict[str, Any], skipped: bool) -> None:
    request = GenerateRequest(request_id="1", prompt=Chat(messages=(), **chat))
    encoded: Any = SimpleNamespace(token_ids=(1,), max_new_tokens=1)
    _, params = vllm_request(request, encoded)
    assert params.skip_special_tokens is skipped

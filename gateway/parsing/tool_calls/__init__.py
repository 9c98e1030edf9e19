"""Tool calls in a model's text: one grammar for each model family.

Others import `make_parser` and `default_family`. A new format is a `ToolFormat` of
`engine.tool_formats`, one file here with a grammar, a generator that waits inside for more text,
and one line in `FAMILIES`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from gateway.parsing.tool_calls.call_parser import CallParser, Grammar, new_id
from gateway.parsing.tool_calls.deepseek_v3 import deepseek_v3
from gateway.parsing.tool_calls.harmony import harmony
from gateway.parsing.tool_calls.hermes import hermes
from gateway.parsing.tool_calls.llama3_json import llama3_json
from gateway.parsing.tool_calls.mistral import mistral
from gateway.parsing.tool_calls.plain_json import plain_json
from gateway.parsing.tool_calls.pythonic import pythonic
from gateway.parsing.tool_calls.qwen3_coder import qwen3_coder

FAMILIES: Final[dict[str, Grammar]] = {
    "llama3_json": llama3_json,
    "hermes": hermes,
    "mistral": mistral,
    "plain_json": plain_json,
    "pythonic": pythonic,
    "qwen3_coder": qwen3_coder,
    "deepseek_v3": deepseek_v3,
    "harmony": harmony,
}
DEFAULTS: Final = {
    "llama": "llama3_json",
    **dict.fromkeys(("qwen2", "qwen2_moe", "qwen3", "qwen3_moe", "qwen3_next"), "hermes"),
    **dict.fromkeys(("mistral", "mistral3", "ministral", "mixtral"), "mistral"),
    **dict.fromkeys(("llama4", "llama4_text"), "pythonic"),
    **dict.fromkeys(("qwen3_5", "qwen3_5_moe"), "qwen3_coder"),
    "deepseek_v3": "deepseek_v3",
    "gpt_oss": "harmony",
}


def default_family(model_type: str) -> str:
    """Return the format that models of a Hugging Face `model_type` usually write."""
    return DEFAULTS.get(model_type, "plain_json")


def make_parser(
    family: str,
    tools: Mapping[str, Mapping[str, Any]],
    max_calls: int | None = None,
    make_id: Callable[[], str] = new_id,
) -> CallParser:
    """Build the parser of one answer, which leaves out calls beyond `max_calls`.

    `tools` are the functions that can be called, and the schema of each one's arguments.
    """
    return CallParser(FAMILIES[family], tools, max_calls, make_id)

"""Tool calls in a model's text: one grammar for each model family.

Others import `make_parser` and `default_family`. A new format is one file with a grammar, a
generator that waits inside for more text, and one line in `FAMILIES`.
"""

from collections.abc import Callable, Collection
from typing import Final

from gateway.parsing.tool_calls.call_parser import CallParser, Grammar, new_id
from gateway.parsing.tool_calls.hermes import hermes
from gateway.parsing.tool_calls.llama3_json import llama3_json
from gateway.parsing.tool_calls.mistral import mistral
from gateway.parsing.tool_calls.plain_json import plain_json

FAMILIES: Final[dict[str, Grammar]] = {
    "llama3_json": llama3_json,
    "hermes": hermes,
    "mistral": mistral,
    "plain_json": plain_json,
}
DEFAULTS: Final = {
    "llama": "llama3_json",
    **dict.fromkeys(("qwen2", "qwen2_moe", "qwen3", "qwen3_moe"), "hermes"),
    **dict.fromkeys(("mistral", "mistral3", "ministral", "mixtral"), "mistral"),
}


def default_family(model_type: str) -> str:
    """Return the format that models of a Hugging Face `model_type` usually write."""
    return DEFAULTS.get(model_type, "plain_json")


def make_parser(
    family: str,
    tool_names: Collection[str],
    max_calls: int | None = None,
    make_id: Callable[[], str] = new_id,
) -> CallParser:
    """Build the parser of one answer, which leaves out calls beyond `max_calls`."""
    return CallParser(FAMILIES[family], tool_names, max_calls, make_id)

"""Tool calls in a model's text: one grammar per model family."""

from collections.abc import Callable, Collection
from typing import Final

from gateway.parsing.deltas import MessageDelta, Parser
from gateway.parsing.tool_calls.hermes import hermes
from gateway.parsing.tool_calls.incremental_text import IncrementalText, Scanner
from gateway.parsing.tool_calls.llama3_json import llama3_json
from gateway.parsing.tool_calls.mistral import mistral
from gateway.parsing.tool_calls.plain_json import plain_json
from gateway.parsing.tool_calls.scanner import CallCollector, new_id

Grammar = Callable[[IncrementalText, CallCollector], Scanner[None]]

FAMILIES: Final[dict[str, Grammar]] = {
    "llama3_json": llama3_json,
    "hermes": hermes,
    "mistral": mistral,
    "plain_json": plain_json,
}
DEFAULTS: Final = {
    "llama": "llama3_json",
    "qwen2": "hermes",
    "qwen2_moe": "hermes",
    "qwen3": "hermes",
    "qwen3_moe": "hermes",
    "mistral": "mistral",
    "mistral3": "mistral",
    "ministral": "mistral",
    "mixtral": "mistral",
}


def default_family(model_type: str) -> str:
    """Give the family that models of a Hugging Face `model_type` usually write."""
    return DEFAULTS.get(model_type, "plain_json")


def make_parser(
    family: str,
    tool_names: Collection[str],
    max_calls: int | None = None,
    make_id: Callable[[], str] = new_id,
) -> Parser:
    """Make the parser of one answer; calls beyond `max_calls` are left out of it."""
    return _ToolParser(FAMILIES[family], CallCollector(tool_names, max_calls, make_id))


class _ToolParser:
    """Drives a grammar with the text as it comes."""

    def __init__(self, grammar: Grammar, found: CallCollector) -> None:
        self._found = found
        self._steps = grammar(IncrementalText(), found)
        next(self._steps)

    def feed(self, text: str) -> list[MessageDelta]:
        """Take more text and give the parts that are certain by now."""
        if text:
            self._steps.send(text)
        return self._found.taken()

    def finish(self) -> list[MessageDelta]:
        """End the text and give the parts that were held back."""
        try:
            self._steps.send("")
        except StopIteration:
            self._found.finish()
        return self._found.taken()

"""Tool calls in a model's text: one grammar for each model family.

Others import `make_parser` and `default_family`. A new format is one file with a grammar, a
generator that waits inside for more text, and one line in `FAMILIES`.
"""

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
    """Return the format that models of a Hugging Face `model_type` usually write."""
    return DEFAULTS.get(model_type, "plain_json")


def make_parser(
    family: str,
    tool_names: Collection[str],
    max_calls: int | None = None,
    make_id: Callable[[], str] = new_id,
) -> Parser:
    """Build the parser of one answer, which leaves out calls beyond `max_calls`."""
    return _ToolParser(FAMILIES[family], CallCollector(tool_names, max_calls, make_id))


class _ToolParser:
    """Drives a grammar with the text as it comes."""

    def __init__(self, grammar: Grammar, calls: CallCollector) -> None:
        self._collector = calls
        self._steps = grammar(IncrementalText(), calls)
        next(self._steps)

    def feed(self, text: str) -> list[MessageDelta]:
        """Take more text and return the deltas that are certain by now."""
        if text:
            self._steps.send(text)
        return self._collector.take_deltas()

    def finish(self) -> list[MessageDelta]:
        """End the text and return the deltas that were held back."""
        try:
            self._steps.send("")
        except StopIteration:
            self._collector.finish()
        return self._collector.take_deltas()

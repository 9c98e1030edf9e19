"""From a chat model's text to the parts of its message: thought, content, tool calls."""

from collections.abc import Callable, Iterable
from typing import Any

from gateway.api.chat.protocol import ChatCompletionRequest
from gateway.api.chat.tools import NamedChoice
from gateway.config import ModelConfig
from gateway.parsing.deltas import (
    ContentDelta,
    MessageDelta,
    Parser,
    ReasoningDelta,
    ToolCallDelta,
    merged,
)
from gateway.parsing.reasoning import ReasoningParser
from gateway.parsing.tool_calls import make_parser
from gateway.parsing.tool_calls.scanner import new_id

MakeParser = Callable[[], Parser]


class ForcedCallParser:
    """The parser of an answer that is nothing but the arguments of one function."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._begun = False

    def feed(self, text: str) -> list[MessageDelta]:
        """Take more text; all of it is arguments."""
        if self._begun or not text:
            return [ToolCallDelta(0, None, None, text)] if text else []
        self._begun = True
        return [ToolCallDelta(0, new_id(), self._name, text)]

    def finish(self) -> list[MessageDelta]:
        """End the text."""
        return []


class ReasoningThenContentParser:
    """The parser of an answer with a thought: what is not thought goes to another parser."""

    def __init__(self, reasoning: ReasoningParser, rest: Parser | None) -> None:
        self._reasoning = reasoning
        self._rest = rest

    def feed(self, text: str) -> list[MessageDelta]:
        """Take more text and give the parts that are certain by now."""
        return self._passed(self._reasoning.feed(text))

    def finish(self) -> list[MessageDelta]:
        """End the text and give the parts that were held back."""
        parts = self._passed(self._reasoning.finish())
        return parts if self._rest is None else parts + self._rest.finish()

    def _passed(self, parts: Iterable[MessageDelta]) -> list[MessageDelta]:
        passed: list[MessageDelta] = []
        for part in parts:
            if self._rest is not None and isinstance(part, ContentDelta):
                passed += self._rest.feed(part.text)
            else:
                passed.append(part)
        return passed


def parser_for(body: ChatCompletionRequest, model: ModelConfig) -> MakeParser | None:
    """Say how to make the parser of one choice; None where text is only text."""
    tools = _tool_parser(body, model.tool_parser or "hermes")
    if model.reasoning is None:
        return tools
    begins_inside = model.reasoning == "think_begun"

    def chained() -> Parser:
        return ReasoningThenContentParser(
            ReasoningParser(begins_inside=begins_inside), tools() if tools else None
        )

    return chained


def _tool_parser(body: ChatCompletionRequest, family: str) -> MakeParser | None:
    demand, tools = body.demand
    if isinstance(demand, NamedChoice):
        name = demand.function.name
        return lambda: ForcedCallParser(name)
    if demand == "none":
        return None
    names = {tool.function.name for tool in tools}
    most = 1 if body.parallel_tool_calls is False else None
    # A forced call is written in the form that the schema asked for, whatever the family.
    written = "plain_json" if demand == "required" else family
    return lambda: make_parser(written, names, most)


def delta_body(part: MessageDelta) -> dict[str, Any]:
    """Write a part as the `delta` of a chunk."""
    if isinstance(part, ContentDelta):
        return {"content": part.text}
    if isinstance(part, ReasoningDelta):
        return {"reasoning_content": part.text, "reasoning": part.text}
    return {"tool_calls": [{"index": part.index} | _call(part)]}


def message_body(parts: Iterable[MessageDelta]) -> dict[str, Any]:
    """Write all the parts of one choice as its `message`."""
    whole = merged(parts)
    content = "".join(part.text for part in whole if isinstance(part, ContentDelta))
    thought = "".join(part.text for part in whole if isinstance(part, ReasoningDelta))
    calls = [_call(part) for part in whole if isinstance(part, ToolCallDelta)]
    message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": None}
    if thought:
        message |= {"reasoning_content": thought, "reasoning": thought}
    if calls:
        message |= {"content": content or None, "tool_calls": calls}
    return message


def _call(part: ToolCallDelta) -> dict[str, Any]:
    if part.id is None:
        return {"function": {"arguments": part.arguments}}
    function = {"name": part.name, "arguments": part.arguments}
    return {"id": part.id, "type": "function", "function": function}

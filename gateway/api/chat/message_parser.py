"""Which parser reads the text of a chat's choices."""

from collections.abc import Callable
from functools import partial

from gateway.api.chat.protocol import ChatCompletionRequest
from gateway.api.chat.tools import NamedChoice
from gateway.config import ModelConfig
from gateway.parsing.message import MessageParser
from gateway.parsing.reasoning import ReasoningParser
from gateway.parsing.tool_calls import make_parser
from gateway.parsing.tool_calls.call_parser import CallParser
from gateway.parsing.tool_calls.plain_json import arguments_alone

MakeMessageParser = Callable[[], MessageParser]


def message_parser(body: ChatCompletionRequest, model: ModelConfig) -> MakeMessageParser | None:
    """Return how to build the parser of one choice; None where text is only text."""
    make_tools = _tool_parser(body, model.tool_parser or "hermes")
    if make_tools is None and model.reasoning is None:
        return None

    def make() -> MessageParser:
        begins_inside = model.reasoning == "think_begun"
        reasoning = ReasoningParser(begins_inside=begins_inside) if model.reasoning else None
        return MessageParser(reasoning, make_tools() if make_tools else None)

    return make


def _tool_parser(body: ChatCompletionRequest, family: str) -> Callable[[], CallParser] | None:
    choice, tools = body.resolved_tool_choice
    if isinstance(choice, NamedChoice):
        return partial(CallParser, arguments_alone, {choice.function.name: {}})
    if choice == "none":
        return None
    schemas = {tool.function.name: tool.function.arguments_schema for tool in tools}
    max_calls = 1 if body.parallel_tool_calls is False else None
    # A forced call is written in the form that the schema asked for, whatever the family.
    format_ = "plain_json" if choice == "required" else family
    return partial(make_parser, format_, schemas, max_calls)

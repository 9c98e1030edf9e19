"""Which parser reads the text of a chat's choices."""

from collections.abc import Callable
from functools import partial

from engine.tool_formats import FORMATS
from gateway.api.chat.protocol import ChatCompletionRequest
from gateway.api.chat.tools import NamedChoice
from gateway.config import ModelConfig
from gateway.parsing.custom_input import CustomToolParser
from gateway.parsing.message import MessageParser
from gateway.parsing.reasoning import ReasoningParser
from gateway.parsing.tool_calls import make_parser
from gateway.parsing.tool_calls.call_parser import CallParser
from gateway.parsing.tool_calls.plain_json import arguments_alone

MakeMessageParser = Callable[[], MessageParser]


def message_parser(body: ChatCompletionRequest, model: ModelConfig) -> MakeMessageParser | None:
    """Return how to build the parser of one choice; None where text is only text."""
    family = model.tool_parser or "hermes"
    make_tools = _tool_parser(body, family)
    names = {tool.custom.name for tool in body.tools or () if tool.custom}
    parser = partial(CustomToolParser, names=names) if names else MessageParser
    if make_tools is None and model.reasoning is None:
        return None
    if make_tools is not None and FORMATS[family].has_channels and not _is_forced(body):
        return lambda: parser(make_tools(), None)

    def make() -> MessageParser:
        begins_inside = model.reasoning == "think_begun"
        reasoning = ReasoningParser(begins_inside=begins_inside) if model.reasoning else None
        return parser(reasoning, make_tools() if make_tools else None)

    return make


def _tool_parser(body: ChatCompletionRequest, family: str) -> Callable[[], CallParser] | None:
    choice, tools = body.resolved_tool_choice
    if isinstance(choice, NamedChoice):
        return partial(CallParser, arguments_alone, {choice.name: {}})
    if choice == "none" and not FORMATS[family].has_channels:
        return None
    functions = [tool.declared for tool in tools] if choice != "none" else []
    schemas = {function.name: function.arguments_schema for function in functions}
    max_calls = 1 if body.parallel_tool_calls is False else None
    # A forced call is written in the form that the schema asked for, whatever the family.
    format_ = "plain_json" if choice == "required" else family
    return partial(make_parser, format_, schemas, max_calls)


def _is_forced(body: ChatCompletionRequest) -> bool:
    choice, _ = body.resolved_tool_choice
    return choice == "required" or isinstance(choice, NamedChoice)

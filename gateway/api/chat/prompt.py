"""`chat_prompt`: messages and tools as the engine's `Chat`."""

from collections.abc import Sequence
from typing import Any

from engine import Chat, UnsupportedParameter
from gateway.api.chat.messages import Message
from gateway.api.chat.tools import Tool
from gateway.config import ModelConfig


def chat_prompt(
    messages: Sequence[Message], tools: Sequence[Tool], model: ModelConfig, **options: Any
) -> Chat:
    """Return the conversation with other `options` of a Chat.

    Raise UnsupportedParameter for tools where the config of the model has none.
    """
    if tools and model.tools == "off":
        raise UnsupportedParameter(
            f"Unsupported parameter: 'tools' are off for model '{model.id}'. Leave them out.",
            param="tools",
        )
    return Chat(
        messages=tuple(message.for_template() for message in messages),
        tools=tuple(tool.for_template() for tool in tools),
        tools_by=None if model.tools == "off" else model.tools,
        tool_format=model.tool_parser,
        **options,
    )

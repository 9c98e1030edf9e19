"""The arguments of a chat template: those that a request sets, and those that it may not."""

from collections.abc import Collection, Iterator
from typing import Any, Final

from engine.errors import InvalidRequest, UnsupportedParameter
from engine.types import Chat

# What the renderer, or transformers, passes to the template itself.
RESERVED: Final = frozenset({
    "messages", "tools", "documents", "add_generation_prompt", "tokenize", "chat_template",
    "conversation", "continue_final_message", "return_dict", "return_tensors", "padding",
    "truncation", "max_length", "bos_token", "eos_token", "pad_token", "unk_token",
})  # fmt: skip
CHAT_HINTS: Final = frozenset({"enable_thinking", "reasoning_effort"})
_SWITCHES: Final = ("enable_thinking", "thinking")  # what templates call the same switch


def template_arguments(chat: Chat, variables: Collection[str]) -> dict[str, Any]:
    """Return the template's arguments; raise InvalidRequest for one that it may not have.

    `variables` are those that the template reads. The effort `none` is `enable_thinking: false`
    for a template that only reads that.
    """
    for name in chat.template_arguments:
        param = f"chat_template_kwargs.{name[:64]}"
        if name in RESERVED:
            raise InvalidRequest(f"'{name[:64]}' is not for requests to set.", param)
        if name not in variables and name not in _SWITCHES:
            raise not_read(param)
    read = {name: value for name, value in chat.template_arguments.items() if name in variables}
    return {**read, **_effort(chat.reasoning_effort, variables)}


def unread_hints(chat: Chat, variables: Collection[str]) -> Iterator[str]:
    """Yield the hints of a chat that the template does not read, unless they ask for nothing."""
    for name in _SWITCHES:
        if name not in variables and chat.template_arguments.get(name):
            yield f"chat_template_kwargs.{name}"
    effort = chat.reasoning_effort
    if effort not in (None, "none") and "reasoning_effort" not in variables:
        yield "reasoning_effort"


def not_read(param: str) -> UnsupportedParameter:
    """Return the error for a parameter that the template does not read."""
    return UnsupportedParameter(
        f"Unsupported parameter: '{param}' is not read by this model's chat template. "
        "Leave it out.",
        param=param,
    )


def _effort(effort: str | None, variables: Collection[str]) -> dict[str, Any]:
    if effort is None:
        return {}
    if "reasoning_effort" in variables:
        return {"reasoning_effort": effort}
    return {name: False for name in _SWITCHES if effort == "none" and name in variables}

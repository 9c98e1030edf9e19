"""What a request may tell a chat template, and what it may not."""

import re
from collections.abc import Collection
from functools import lru_cache
from typing import Any, Final

from engine.errors import InvalidRequest, UnsupportedParameter
from engine.types import Chat

# The renderer sets these itself.
RESERVED: Final = frozenset({
    "messages", "tools", "documents", "add_generation_prompt", "tokenize", "chat_template",
    "conversation", "continue_final_message", "return_dict", "return_tensors", "padding",
    "truncation", "max_length", "bos_token", "eos_token", "pad_token", "unk_token",
})  # fmt: skip


# A tag of transformers that Jinja does not know; it reads nothing.
_GENERATION: Final = re.compile(r"{%[-+]?\s*(?:end)?generation\s*[-+]?%}")


@lru_cache
def variables(template: str) -> frozenset[str]:
    """Name the variables that a Jinja template reads and does not set itself."""
    from jinja2 import Environment, TemplateError, meta

    environment = Environment(extensions=["jinja2.ext.loopcontrols"])  # noqa: S701 - only parsed
    try:
        tree = environment.parse(_GENERATION.sub("", template))
    except TemplateError:
        return frozenset()  # rendering it will say so
    return frozenset(meta.find_undeclared_variables(tree))


def arguments(chat: Chat, reads: Collection[str]) -> dict[str, Any]:
    """Give what the template is told; raises InvalidRequest for what it would ignore.

    A template that can only switch thinking on and off takes the effort `none` as off.
    """
    for name in chat.template_arguments:
        if name in RESERVED:
            raise InvalidRequest(
                f"'{name[:64]}' is not for requests to set.", f"chat_template_kwargs.{name[:64]}"
            )
        if name not in reads:
            raise _unread(f"chat_template_kwargs.{name[:64]}")
    return {**chat.template_arguments, **_effort(chat.reasoning_effort, reads)}


def _effort(effort: str | None, reads: Collection[str]) -> dict[str, Any]:
    if effort is None:
        return {}
    if "reasoning_effort" in reads:
        return {"reasoning_effort": effort}
    if effort == "none" and "enable_thinking" in reads:
        return {"enable_thinking": False}
    raise _unread("reasoning_effort")


def _unread(param: str) -> UnsupportedParameter:
    return UnsupportedParameter(
        f"Unsupported parameter: '{param}' is not read by this model's chat template. "
        "Leave it out.",
        param=param,
    )

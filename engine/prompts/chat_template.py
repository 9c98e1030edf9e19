"""The arguments of a chat template: those that a request sets, and those that it may not."""

import re
from collections.abc import Collection
from functools import lru_cache
from typing import Any, Final

from engine.errors import InvalidRequest, UnsupportedParameter
from engine.types import Chat

# What the renderer, or transformers, passes to the template itself.
RESERVED: Final = frozenset({
    "messages", "tools", "documents", "add_generation_prompt", "tokenize", "chat_template",
    "conversation", "continue_final_message", "return_dict", "return_tensors", "padding",
    "truncation", "max_length", "bos_token", "eos_token", "pad_token", "unk_token",
})  # fmt: skip


# A tag of transformers that Jinja does not know; it reads no variable.
_GENERATION: Final = re.compile(r"{%[-+]?\s*(?:end)?generation\s*[-+]?%}")


@lru_cache
def template_variables(template: str) -> frozenset[str]:
    """Return the variables that a Jinja template reads and does not set itself."""
    from jinja2 import Environment, TemplateError, meta

    environment = Environment(extensions=["jinja2.ext.loopcontrols"])  # noqa: S701 - only parsed
    try:
        tree = environment.parse(_GENERATION.sub("", template))
    except TemplateError:
        return frozenset()  # an error of its rendering too
    return frozenset(meta.find_undeclared_variables(tree))


def template_arguments(chat: Chat, variables: Collection[str]) -> dict[str, Any]:
    """Return the template's arguments; raise InvalidRequest for one that it would ignore.

    `variables` are those that the template reads. The effort `none` is `enable_thinking: false`
    for a template that only reads that.
    """
    for name in chat.template_arguments:
        if name in RESERVED:
            raise InvalidRequest(
                f"'{name[:64]}' is not for requests to set.", f"chat_template_kwargs.{name[:64]}"
            )
        if name not in variables:
            raise _not_read(f"chat_template_kwargs.{name[:64]}")
    return {**chat.template_arguments, **_effort(chat.reasoning_effort, variables)}


def _effort(effort: str | None, variables: Collection[str]) -> dict[str, Any]:
    if effort is None:
        return {}
    if "reasoning_effort" in variables:
        return {"reasoning_effort": effort}
    if effort == "none" and "enable_thinking" in variables:
        return {"enable_thinking": False}
    raise _not_read("reasoning_effort")


def _not_read(param: str) -> UnsupportedParameter:
    return UnsupportedParameter(
        f"Unsupported parameter: '{param}' is not read by this model's chat template. "
        "Leave it out.",
        param=param,
    )

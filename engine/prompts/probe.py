"""`probe`: what a chat template can do, found by rendering conversations of words like no other."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any, Final, Literal

from engine.prompts.capabilities import TemplateCapabilities
from engine.prompts.fit import fit
from engine.prompts.template import ChatTemplate
from engine.types import Chat

Conversation = tuple[Mapping[str, Any], ...]

# No word is part of another one, or of a template.
_WORD: Final = re.compile(r"\bxq[a-z]+qx\b")
_NONE: Final = re.compile(r"\bNone\b")
# An object that was written as Python does, or as a text within JSON.
_NOT_JSON: Final = re.compile(r"'xqkeyqx'|\\\"xqkeyqx")

_SYSTEM: Final = {"role": "system", "content": "xqsystemqx"}
_USER: Final = {"role": "user", "content": "xquserqx"}
_ANSWER: Final = {"role": "assistant", "content": "xqanswerqx"}
_MORE: Final = {"role": "user", "content": "xqmoreqx"}
_LATER: Final = {"role": "system", "content": "xqlaterqx"}
_CHAT: Final = (_SYSTEM, _USER, _ANSWER, _MORE)
_TOOL: Final = {
    "type": "function",
    "function": {
        "name": "xqfunctionqx",
        "description": "xqpurposeqx",
        "parameters": {"type": "object", "properties": {"xqkeyqx": {"type": "string"}}},
    },
}


def _calls(*numbers: str, content: str | None = None) -> dict[str, Any]:
    calls = [
        {
            "id": f"call_{number}",
            "type": "function",
            "function": {"name": "xqfunctionqx", "arguments": {"xqkeyqx": f"xqvalue{number}qx"}},
        }
        for number in numbers
    ]
    return {"role": "assistant", "content": content, "tool_calls": calls}


def _result(number: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": f"call_{number}", "content": f"xqresult{number}qx"}


_CALL: Final = (_SYSTEM, _USER, _calls("a"), _result("a"))
_PARALLEL: Final = (_USER, _calls("a", "b"), _result("a"), _result("b"), _ANSWER, _MORE)
_BESIDE: Final = (_USER, _calls("a", content="xqtextqx"), _result("a"), _ANSWER, _MORE)


def probe(template: ChatTemplate) -> TemplateCapabilities | None:
    """Return what a template can do; None where it renders no conversation at all."""
    can = _first(template, _plain(), (_CHAT, _CHAT[:2]))
    if can is None:
        return None
    can = _better(template, can, (_USER, _MORE, _ANSWER), (_ANSWER, _USER), must_alternate=False)
    if can.system and not can.must_alternate:
        can = _better(template, can, (_SYSTEM, _USER, _LATER, _ANSWER, _MORE), later_system=True)
    able = _first(template, _with_tools(can), (_CALL, (*_CALL, _ANSWER, _MORE)))
    if able is None:
        return can
    able = _better(template, able, _PARALLEL, parallel_calls=True)
    return _better(template, able, _BESIDE, text_with_calls=True)


def _plain() -> Iterable[TemplateCapabilities]:
    for system in (True, False):
        yield TemplateCapabilities(
            system=system,
            later_system=False,
            must_alternate=True,
            tools=False,
            parallel_calls=False,
            text_with_calls=False,
        )


def _with_tools(can: TemplateCapabilities) -> Iterable[TemplateCapabilities]:
    """Yield ways to give a template tools; some lose the system's message while a call is open."""
    forms: tuple[Literal["object", "text"], ...] = ("object", "text")
    for system, arguments, short in product((True, False), forms, (False, True)):
        yield replace(
            can,
            tools=True,
            system=can.system and system,
            later_system=can.later_system and system,
            arguments=arguments,
            short_call_ids=short,
        )


def _first(
    template: ChatTemplate,
    candidates: Iterable[TemplateCapabilities],
    conversations: Sequence[Conversation],
) -> TemplateCapabilities | None:
    each = (can for can in candidates if _renders(template, can, conversations))
    return next(each, None)


def _better(
    template: ChatTemplate, can: TemplateCapabilities, *conversations: Conversation, **more: Any
) -> TemplateCapabilities:
    """Return the capabilities with more, where the template then renders the conversations."""
    better = replace(can, **more)
    return better if _renders(template, better, conversations) else can


def _renders(
    template: ChatTemplate, can: TemplateCapabilities, conversations: Sequence[Conversation]
) -> bool:
    """Return whether every word of the conversations is in the text, and nothing odd."""
    nones = len(_NONE.findall(template.text))
    for conversation in conversations:
        chat = Chat(messages=conversation, tools=(_TOOL,) if can.tools else ())
        try:
            messages, tools = fit(chat, can)
            text = template.render(messages, tools=tools)
        except Exception:  # noqa: BLE001 - a template may raise anything
            return False
        words = set(_WORD.findall(json.dumps([conversation, chat.tools])))
        if not words <= set(_WORD.findall(text)) or _NOT_JSON.search(text):
            return False
        if len(_NONE.findall(text)) > nones:
            return False
    return True

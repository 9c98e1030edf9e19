"""`fit`: the messages of a conversation, changed so that a chat template renders all of them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import takewhile
from typing import Any, Final

from engine.prompts.capabilities import TemplateCapabilities
from engine.tool_formats import FORMATS, ToolFormat
from engine.types import Chat

Messages = list[dict[str, Any]]
Tools = Sequence[Mapping[str, Any]]

DEFAULT_FORMAT: Final = "hermes"
_SHORT_ID: Final = 9  # letters and digits, as Mistral's templates require


def fit(chat: Chat, can: TemplateCapabilities) -> tuple[Messages, Tools]:
    """Return the messages and the tools for the template.

    Tools that the template cannot write, or may not, become text: functions in the system's,
    calls in the assistant's, results in the user's.
    """
    messages = [_plain(message) for message in chat.messages]
    tools = chat.tools
    if chat.tools_by == "gateway" or (chat.tools_by is None and not can.tools):
        format_ = FORMATS[chat.tool_format or DEFAULT_FORMAT]
        messages, tools = _tools_as_text(messages, tools, format_), ()
    else:
        messages = list(_calls_as_read(messages, can))
    messages = _system_first(messages, can)
    return (_alternating(messages) if can.must_alternate else messages), tools


def _plain(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy with a text for content and without an empty list of calls."""
    content = message.get("content")
    plain = {**message, "content": "" if content is None else content}
    if not plain.get("tool_calls"):
        plain.pop("tool_calls", None)
    if plain["role"] == "developer":
        plain["role"] = "system"
    return plain


def join_texts(*texts: str) -> str:
    """Return texts as paragraphs, without the empty ones."""
    return "\n\n".join(text for text in texts if text)


def exchanges(messages: Messages) -> Iterator[Messages]:
    """Yield each message together with the results that follow it."""
    start = 0
    for end in range(1, len(messages) + 1):
        if end == len(messages) or messages[end]["role"] != "tool":
            yield messages[start:end]
            start = end


def _tools_as_text(messages: Messages, tools: Tools, format_: ToolFormat) -> Messages:
    names: dict[Any, str] = {}
    written: Messages = []
    for first, *rest in exchanges(messages):
        calls = first.pop("tool_calls", ())
        names |= {call.get("id"): call["function"]["name"] for call in calls}
        if calls:
            text = format_.write_calls([_call(call) for call in calls])
            first["content"] = join_texts(first["content"], text)
        results = [first, *rest] if first["role"] == "tool" else rest
        written += [] if first["role"] == "tool" else [first]
        if results:
            text = "\n".join(
                format_.write_result(names.get(each.get("tool_call_id"), ""), each["content"])
                for each in results
            )
            written.append({"role": "user", "content": text})
    if tools:
        place = len(list(takewhile(_is_system, written)))
        written.insert(place, {"role": "system", "content": format_.instructions(tools)})
    return written


def _call(call: Mapping[str, Any]) -> tuple[str, Any]:
    return call["function"]["name"], call["function"]["arguments"]


def _calls_as_read(messages: Messages, can: TemplateCapabilities) -> Iterator[dict[str, Any]]:
    """Yield the messages with calls as the template reads them, results after their call."""
    for first, *results in exchanges(messages):
        calls = [_readable(call, can) for call in first.pop("tool_calls", ())]
        if can.short_call_ids:
            for result in (first, *results):
                if "tool_call_id" in result:
                    result["tool_call_id"] = short_id(str(result["tool_call_id"]))
        if calls and first["content"] and not can.text_with_calls:
            yield first.copy()
            first["content"] = ""
        groups = [calls] if can.parallel_calls else [[call] for call in calls]
        for group in groups[:-1]:
            yield first | {"tool_calls": group}
            first["content"] = ""
            ids = {call.get("id") for call in group}
            yield from (each for each in results if each.get("tool_call_id") in ids)
            results = [each for each in results if each.get("tool_call_id") not in ids]
        yield first | ({"tool_calls": groups[-1]} if calls else {})
        yield from results


def _readable(call: Mapping[str, Any], can: TemplateCapabilities) -> dict[str, Any]:
    function = dict(call["function"])
    if can.arguments == "text" and not isinstance(function["arguments"], str):
        function["arguments"] = json.dumps(function["arguments"], ensure_ascii=False)
    fitted = {**call, "function": function}
    if can.short_call_ids:
        fitted["id"] = short_id(str(call.get("id", "")))
    return fitted


def short_id(id_: str) -> str:
    """Return an id of nine letters or digits: the same one, or one made from it."""
    if len(id_) == _SHORT_ID and id_.isascii() and id_.isalnum():
        return id_
    return blake2b(id_.encode("utf-8", "replace"), digest_size=8).hexdigest()[:_SHORT_ID]


def _system_first(messages: Messages, can: TemplateCapabilities) -> Messages:
    """Return the messages with one system message at most at the beginning."""
    head = list(takewhile(_is_system, messages))
    rest = messages[len(head) :]
    if not can.later_system:
        head += filter(_is_system, rest)
        rest = [message for message in rest if not _is_system(message)]
    if not head:
        return rest
    text = join_texts(*(message["content"] for message in head))
    if can.system:
        return [head[0] | {"content": text}, *rest]
    if not rest or rest[0]["role"] != "user":
        return [{"role": "user", "content": text}, *rest]
    return [rest[0] | {"content": join_texts(text, rest[0]["content"])}, *rest[1:]]


def _is_system(message: Mapping[str, Any]) -> bool:
    return bool(message["role"] == "system")


def _alternating(messages: Messages) -> Messages:
    """Return the messages with those of one role joined, and empty ones where a role is missing."""
    fitted: Messages = []
    for message in messages:
        role, last = message["role"], fitted[-1]["role"] if fitted else "system"
        if role == last and role in ("user", "assistant"):
            fitted[-1] = _joined(fitted[-1], message)
            continue
        if role == "user" and last == "tool":
            fitted.append({"role": "assistant", "content": ""})
        elif role in ("assistant", "tool") and last == "system":
            fitted.append({"role": "user", "content": ""})
        fitted.append(message)
    return fitted


def _joined(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    joined = {**first, **second, "content": join_texts(first["content"], second["content"])}
    if calls := [*first.get("tool_calls", ()), *second.get("tool_calls", ())]:
        joined["tool_calls"] = calls
    return joined

"""Conversations as the page shows them: messages, notes beside them, and no HTML that runs."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from clients.conversation import Answer, Message

# What a browser would take for a tag, a comment or a declaration, outside code.
_TAG: Final = re.compile(r"<(?=[A-Za-z/!?])")
_CODE: Final = re.compile(r"(```.*?(?:```|\Z)|`[^`\n]+`)", re.DOTALL)
_JOINER: Final = "\u2060"  # takes no room and no line break; behind it a tag is text
Shown = list[dict[str, Any]]


def as_text(text: str) -> str:
    """Write Markdown whose HTML is shown and never run; `as_said` is the inverse."""
    parts = _CODE.split(text)
    parts[::2] = [_TAG.sub(f"<{_JOINER}", part) for part in parts[::2]]
    return "".join(parts)


def as_said(text: str) -> str:
    """Give the text as it was said."""
    return text.replace(f"<{_JOINER}", "<")


def said_by_user(text: str) -> dict[str, Any]:
    """Show what the user wrote."""
    return {"role": "user", "content": as_text(text)}


def shown(answer: Answer) -> Iterator[dict[str, Any]]:
    """Show an answer so far, its thought before it and what is known of its speed behind it."""
    if answer.thought:
        yield _note("Thought", as_text(answer.thought), closed=bool(answer.text))
    if answer.text:
        yield {"role": "assistant", "content": as_text(answer.text)}
    if answer.finish is not None:
        yield note(answer.line())


def note(text: str) -> dict[str, Any]:
    """Show a line that belongs to no one and is never sent."""
    return _note(text, "", closed=True)


def waiting() -> dict[str, Any]:
    """Show that the first token is awaited."""
    return _note("Waiting for the first token", "", closed=False)


def _note(title: str, content: str, *, closed: bool) -> dict[str, Any]:
    status = "done" if closed else "pending"
    return {
        "role": "assistant",
        "content": content,
        "metadata": {"title": title, "status": status},
    }


def history(messages: Iterable[dict[str, Any]]) -> list[Message]:
    """Give what was said by both, as it is sent; notes are left out."""
    return [
        {"role": message["role"], "content": as_said(_text(message["content"]))}
        for message in messages
        if not (message.get("metadata") or {}).get("title")
    ]


def _text(content: str | Sequence[dict[str, Any]]) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def until(messages: Shown, index: int) -> Shown:
    """Give the conversation up to the user's message at or before a place, that one with it."""
    last = max(n for n in range(index + 1) if messages[n]["role"] == "user")
    return messages[: last + 1]

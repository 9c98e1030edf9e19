"""Messages as the web page renders them: answers, notes beside them, HTML as plain text."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from clients.conversation import Answer, Message

# The beginning of a tag, a comment or a declaration, outside code.
_TAG: Final = re.compile(r"<(?=[A-Za-z/!?])")
_CODE: Final = re.compile(r"(```.*?(?:```|\Z)|`[^`\n]+`)", re.DOTALL)
_WORD_JOINER: Final = (
    "\u2060"  # without width, allows no line break; a tag that begins with it is text
)
Messages = list[dict[str, Any]]


def escape(text: str) -> str:
    """Return Markdown whose HTML is shown as text; `unescape` is the inverse."""
    parts = _CODE.split(text)
    parts[::2] = [_TAG.sub(f"<{_WORD_JOINER}", part) for part in parts[::2]]
    return "".join(parts)


def unescape(text: str) -> str:
    """Return the text that was given to `escape`."""
    return text.replace(f"<{_WORD_JOINER}", "<")


def user_message(text: str) -> dict[str, Any]:
    """Return a message of the user."""
    return {"role": "user", "content": escape(text)}


def answer_messages(answer: Answer) -> Iterator[dict[str, Any]]:
    """Yield the reasoning, the text and, at the end, the summary of an answer so far."""
    if answer.reasoning:
        yield _note("Reasoning", escape(answer.reasoning), done=bool(answer.text))
    if answer.text:
        yield {"role": "assistant", "content": escape(answer.text)}
    if answer.finish_reason is not None:
        yield note(answer.summary())


def note(text: str) -> dict[str, Any]:
    """Return a note; it is shown and never sent to the model."""
    return _note(text, "", done=True)


def waiting_note() -> dict[str, Any]:
    """Return the note that stands in for an answer before its first token."""
    return _note("Waiting for the first token", "", done=False)


def _note(title: str, content: str, *, done: bool) -> dict[str, Any]:
    status = "done" if done else "pending"
    return {"role": "assistant", "content": content, "metadata": {"title": title, "status": status}}


def history(messages: Iterable[dict[str, Any]]) -> list[Message]:
    """Return the messages as they are sent to the model, without notes."""
    return [
        {"role": message["role"], "content": unescape(_text(message["content"]))}
        for message in messages
        if not (message.get("metadata") or {}).get("title")
    ]


def _text(content: str | Sequence[dict[str, Any]]) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def history_up_to(messages: Messages, index: int) -> Messages:
    """Return the messages up to and including the last one of the user at or before an index."""
    last = max(n for n in range(index + 1) if messages[n]["role"] == "user")
    return messages[: last + 1]

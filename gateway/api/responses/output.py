"""`Output`: the deltas of a message as items, and the events that build them."""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from engine import TokenLogprob
from gateway.api.logprobs import Alternative, LogprobEntry, response_logprobs
from gateway.api.responses.encrypted_reasoning import encode
from gateway.api.responses.tools import FlatTool
from gateway.parsing.deltas import ContentDelta, MessageDelta, ReasoningDelta, ToolCallDelta

Event = dict[str, Any]


class _Item:
    """An item while it is generated; its text is joined when it is done.

    `fixed` are the fields that are known from the start. The text of a call is a field of its own,
    any other is in a content part.
    """

    def __init__(self, index: int, part: MessageDelta, fixed: dict[str, Any]) -> None:
        self.kind = type(part)
        self._index = index
        self._logprobs: list[LogprobEntry] = []
        self._texts: list[str] = []
        self._fixed = fixed
        custom = isinstance(part, ToolCallDelta) and part.custom
        self._events = "custom_tool_call_input" if custom else _EVENTS[self.kind]
        self._field = "input" if custom else "arguments"

    def add(self, part: MessageDelta, logprobs: list[LogprobEntry]) -> Event:
        """Add a delta and return its event."""
        text = part.arguments if isinstance(part, ToolCallDelta) else part.text
        self._texts.append(text)
        self._logprobs += logprobs
        return self._event("delta", {"delta": text} | self._event_logprobs(logprobs))

    def begin_events(self) -> list[Event]:
        """Return the events that begin the item."""
        added = self._item_event("added", self.body("in_progress", empty=True))
        return [added] if self.kind is ToolCallDelta else [added, self._part_event("added", "")]

    def end_events(self, body: dict[str, Any]) -> list[Event]:
        """Return the events that end the item, which is then `body`."""
        whole, ended = "".join(self._texts), self._item_event("done", body)
        if self.kind is ToolCallDelta:
            return [self._event("done", {self._field: whole}), ended]
        done = self._event("done", {"text": whole} | self._event_logprobs(self._logprobs))
        return [done, self._part_event("done", whole), ended]

    def body(self, status: str, *, empty: bool = False, encrypted: bool = False) -> dict[str, Any]:
        """Return the item, without its content while it is empty."""
        text = "" if empty else "".join(self._texts)
        # The SDK's type of a custom tool's call has no status.
        head = self._fixed | ({} if self._field == "input" else {"status": status})
        if self.kind is ToolCallDelta:
            return head | {self._field: text}
        if encrypted and self.kind is ReasoningDelta:
            head |= {"encrypted_content": encode(text)}
        return head | {"content": [] if empty else [self._content(text)]}

    def _content(self, text: str) -> dict[str, Any]:
        if self.kind is ReasoningDelta:
            return {"type": "reasoning_text", "text": text}
        logprobs = self._logprobs if text else []
        return {"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs}

    def _item_event(self, what: str, item: dict[str, Any]) -> Event:
        return {"type": f"response.output_item.{what}", "output_index": self._index, "item": item}

    def _part_event(self, what: str, text: str) -> Event:
        return self._event(what, {"part": self._content(text)}, "content_part")

    def _event(self, what: str, fields: dict[str, Any], name: str | None = None) -> Event:
        position = {"item_id": self._fixed["id"], "output_index": self._index}
        if self.kind is not ToolCallDelta:
            position["content_index"] = 0
        return {"type": f"response.{name or self._events}.{what}", **position, **fields}

    def _event_logprobs(self, logprobs: list[LogprobEntry]) -> Event:
        """Return log-probabilities as events show them: without the bytes that items have."""
        if self.kind is not ContentDelta:
            return {}
        shown = []
        for entry in logprobs:
            top = [_without_bytes(other) for other in entry["top_logprobs"]]
            shown.append(_without_bytes(entry) | {"top_logprobs": top})
        return {"logprobs": shown}


_EVENTS = {
    ContentDelta: "output_text",
    ReasoningDelta: "reasoning_text",
    ToolCallDelta: "function_call_arguments",
}


def _without_bytes(entry: Alternative) -> dict[str, Any]:
    return {"token": entry["token"], "logprob": entry["logprob"]}


def _new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(16)}"


class Output:
    """The items of one response; at most the last one is unfinished.

    `tools` are those that may be called, by the names that the model knows. `encrypts` reasoning so
    that clients can send it back.
    """

    def __init__(self, tools: Mapping[str, FlatTool], *, encrypts: bool = False) -> None:
        self.items: list[dict[str, Any]] = []
        self._tools = tools
        self._encrypts = encrypts
        self._open: _Item | None = None
        self._logprobs: list[LogprobEntry] = []  # of text that a parser still holds back

    def feed(self, parts: Iterable[MessageDelta], logprobs: Sequence[TokenLogprob]) -> list[Event]:
        """Add deltas and return their events."""
        self._logprobs += response_logprobs(logprobs)
        events: list[Event] = []
        for part in parts:
            events += self._add(part)
        return events

    def finish(self, *, truncated: bool) -> list[Event]:
        """End the last item; an answer of nothing is an empty message."""
        events = [] if self.items or self._open else self._begin(ContentDelta(""))
        return events + self._close("incomplete" if truncated else "completed")

    def _add(self, part: MessageDelta) -> list[Event]:
        events = [] if self._continues(part) else self._close("completed") + self._begin(part)
        assert self._open is not None
        shown: list[LogprobEntry] = []
        if isinstance(part, ContentDelta):
            shown, self._logprobs = self._logprobs, []
        return [*events, self._open.add(part, shown)]

    def _continues(self, part: MessageDelta) -> bool:
        if self._open is None or self._open.kind is not type(part):
            return False
        return not isinstance(part, ToolCallDelta) or part.id is None

    def _begin(self, part: MessageDelta) -> list[Event]:
        self._open = _Item(len(self.items), part, self._fixed_fields(part))
        return self._open.begin_events()

    def _fixed_fields(self, part: MessageDelta) -> dict[str, Any]:
        if isinstance(part, ContentDelta):
            return {"type": "message", "id": _new_id("msg"), "role": "assistant"}
        if isinstance(part, ReasoningDelta):
            return {"type": "reasoning", "id": _new_id("rs"), "summary": []}
        kind, prefix = ("custom_tool_call", "ctc") if part.custom else ("function_call", "fc")
        tool = self._tools[part.name or ""]
        call = {"type": kind, "id": _new_id(prefix), "call_id": part.id, "name": tool.name}
        return call if tool.namespace is None else call | {"namespace": tool.namespace}

    def _close(self, status: str) -> list[Event]:
        if self._open is None:
            return []
        done, self._open = self._open, None
        self.items.append(done.body(status, encrypted=self._encrypts))
        return done.end_events(self.items[-1])

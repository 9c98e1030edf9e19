"""`ResponsesRenderer`: the deltas of one answer as typed events, or as one response."""

import json
import time
from collections.abc import Sequence
from typing import Any

from engine import TokenDelta
from gateway.api.chat.message_parser import MakeMessageParser
from gateway.api.responses.output import Event, Output
from gateway.api.responses.protocol import ENCRYPTED_REASONING, ResponsesRequest
from gateway.api.responses.response import ResponseUsage
from gateway.api.responses.tools import served_tools
from gateway.api.schema import ResponseHead
from gateway.api.streaming.usage import UsageTotals
from gateway.errors import ApiError
from gateway.parsing.deltas import ContentDelta, MessageDelta


class ResponsesRenderer:
    """Writes one answer as `response.*` events, numbered from 0; the last one has it whole."""

    def __init__(
        self, head: ResponseHead, body: ResponsesRequest, make_parser: MakeMessageParser | None
    ) -> None:
        self._echo = _echo(body, head)
        self._parser = None if make_parser is None else make_parser()
        self._totals = UsageTotals(1)
        encrypts = ENCRYPTED_REASONING in (body.include or ())
        self._output = Output(body.flat_tools, encrypts=encrypts)
        self._sequence_number = 0
        self._last: Event = {}

    def feed(self, index: int, delta: TokenDelta) -> bytes:  # noqa: ARG002 - there is one choice
        """Return the events of a delta."""
        return self._frames(self._events(delta))

    def fail(self, error: ApiError) -> bytes:
        """Return the event of a failure."""
        code = "rate_limit_exceeded" if error.status == 429 else "server_error"
        failed = {"status": "failed", "error": {"code": code, "message": error.message}}
        return self._frames([*self._opening(), self._state("failed", failed)])

    def end(self) -> bytes:
        """Return nothing: the last event says that the stream is over."""
        return b""

    def collect(self, index: int, delta: TokenDelta) -> None:  # noqa: ARG002 - there is one choice
        """Add a delta to the whole answer."""
        self._events(delta)

    def body(self) -> dict[str, Any]:
        """Return the whole answer: what the last event of a stream holds."""
        return dict(self._last["response"])

    def _events(self, delta: TokenDelta) -> list[Event]:
        events = self._opening()
        events += self._output.feed(self._parse(delta), delta.logprobs)
        if delta.finish_reason is None:
            return events
        reasoning = None if self._parser is None else self._parser.reasoning_tokens
        self._totals.add(0, delta.usage, reasoning)
        truncated = delta.finish_reason == "length"
        events += self._output.finish(truncated=truncated)
        self._last = self._ended(truncated=truncated)
        return [*events, self._last]

    def _parse(self, delta: TokenDelta) -> list[MessageDelta]:
        if self._parser is not None:
            return self._parser.feed(delta)
        return [ContentDelta(delta.text)] if delta.text else []

    def _opening(self) -> list[Event]:
        if self._sequence_number:
            return []
        return [self._state(what, {"status": "in_progress"}) for what in ("created", "in_progress")]

    def _ended(self, *, truncated: bool) -> Event:
        fields: dict[str, Any] = {"completed_at": int(time.time())}
        if truncated:
            fields = {"incomplete_details": {"reason": "max_output_tokens"}}
        status = "incomplete" if truncated else "completed"
        return self._state(status, fields | {"status": status, "usage": _usage(self._totals)})

    def _state(self, what: str, fields: dict[str, Any]) -> Event:
        response = self._echo | {"output": list(self._output.items)} | fields
        return {"type": f"response.{what}", "response": response}

    def _frames(self, events: Sequence[Event]) -> bytes:
        frames = []
        for event in events:
            numbered = event | {"sequence_number": self._sequence_number}
            self._sequence_number += 1
            data = json.dumps(numbered, ensure_ascii=False, separators=(",", ":"))
            frames.append(f"event: {event['type']}\ndata: {data}\n\n")
        return "".join(frames).encode()


_ECHOED = {"reasoning", "text", "tool_choice"}


def _echo(body: ResponsesRequest, head: ResponseHead) -> dict[str, Any]:
    """Return what every state of a response repeats of its request."""
    sent = body.model_dump(include=_ECHOED, by_alias=True, exclude_none=True)
    return {
        "id": head.id,
        "object": "response",
        "created_at": head.created,
        "status": None,
        "background": False,
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "instructions": body.instructions,
        "max_output_tokens": body.max_output_tokens,
        "max_tool_calls": body.max_tool_calls,
        "metadata": body.metadata or {},
        "model": head.model,
        "output": [],
        "parallel_tool_calls": body.parallel_tool_calls is not False,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None} | sent.get("reasoning", {}),
        "safety_identifier": body.safety_identifier,
        "service_tier": "default",
        "temperature": 1.0 if body.temperature is None else body.temperature,
        "text": {"format": {"type": "text"}} | sent.get("text", {}),
        "tool_choice": sent.get("tool_choice", "auto"),
        "tools": list(served_tools(body.tools or ())),
        "top_logprobs": body.top_logprobs or 0,
        "top_p": 1.0 if body.top_p is None else body.top_p,
        "truncation": body.truncation or "disabled",
        "usage": None,
        "user": body.user,
    }


def _usage(totals: UsageTotals) -> ResponseUsage:
    prompt, output = totals.prompt_tokens, totals.completion_tokens
    return {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": totals.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": totals.reasoning_tokens or 0},
        "total_tokens": prompt + output,
    }

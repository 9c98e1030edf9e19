"""`Events`: the deltas of one answer, written as the typed events of `/v1/responses`."""

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from engine import TokenDelta
from gateway.api.responses.output import Event, Output
from gateway.api.responses.protocol import ResponsesRequest
from gateway.api.schema import ResponseHead
from gateway.api.streaming.choices import UsageTotals
from gateway.errors import ApiError
from gateway.parsing.deltas import MessageDelta


class Events:
    """Writes one answer as `response.*` events, numbered from 0."""

    def __init__(
        self,
        body: ResponsesRequest,
        head: ResponseHead,
        parse: Callable[[TokenDelta], list[MessageDelta]],
        tally: UsageTotals,
    ) -> None:
        self._body = body
        self._head = head
        self._parse = parse
        self._tally = tally
        self._output = Output()
        self._number = 0

    def feed(self, index: int, delta: TokenDelta) -> bytes:  # noqa: ARG002 - there is one choice
        """Write the events of one delta."""
        return self._written(self.take(delta))

    def fail(self, error: ApiError) -> bytes:
        """Write the event of a failure."""
        code = "rate_limit_exceeded" if error.status == 429 else "server_error"
        failed = {"status": "failed", "error": {"code": code, "message": error.message}}
        return self._written([*self._opening(), self._state("failed", failed)])

    def end(self) -> bytes:
        """End the stream: its last event says that it is over."""
        return b""

    def take(self, delta: TokenDelta) -> list[Event]:
        """Give the events of one delta."""
        events = self._opening()
        events += self._output.feed(self._parse(delta), delta.logprobs)
        if delta.finish_reason is None:
            return events
        self._tally.add(0, delta.usage)
        cut_short = delta.finish_reason == "length"
        events += self._output.finish(cut_short=cut_short)
        return [*events, self._last(cut_short)]

    def _opening(self) -> list[Event]:
        if self._number:
            return []
        return [self._state(what, {"status": "in_progress"}) for what in ("created", "in_progress")]

    def _last(self, cut_short: bool) -> Event:
        done: dict[str, Any] = {"usage": _usage(self._tally)}
        if cut_short:
            reason = {"reason": "max_output_tokens"}
            return self._state(
                "incomplete", done | {"status": "incomplete", "incomplete_details": reason}
            )
        return self._state(
            "completed", done | {"status": "completed", "completed_at": int(time.time())}
        )

    def _state(self, what: str, fields: dict[str, Any]) -> Event:
        response = _echo(self._body, self._head) | {"output": list(self._output.items)} | fields
        return {"type": f"response.{what}", "response": response}

    def _written(self, events: Sequence[Event]) -> bytes:
        frames = []
        for event in events:
            numbered = event | {"sequence_number": self._number}
            self._number += 1
            data = json.dumps(numbered, ensure_ascii=False, separators=(",", ":"))
            frames.append(f"event: {event['type']}\ndata: {data}\n\n")
        return "".join(frames).encode()


_ECHOED = {"reasoning", "text", "tool_choice", "tools"}


def _echo(body: ResponsesRequest, head: ResponseHead) -> dict[str, Any]:
    """Give what every state of a response repeats of its request."""
    sent = body.model_dump(include=_ECHOED, by_alias=True, exclude_none=True)
    text = sent.get("text", {})
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
        "text": {"format": {"type": "text"}} | text,
        "tool_choice": sent.get("tool_choice", "auto"),
        "tools": [_tool(tool) for tool in sent.get("tools", ())],
        "top_logprobs": body.top_logprobs or 0,
        "top_p": 1.0 if body.top_p is None else body.top_p,
        "truncation": "disabled",
        "usage": None,
        "user": body.user,
    }


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    return {"description": None, "parameters": None, "strict": False} | tool


def _usage(tally: UsageTotals) -> dict[str, Any]:
    read, made = tally.prompt_tokens, tally.completion_tokens
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": tally.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": tally.reasoning_tokens or 0},
        "total_tokens": read + made,
    }

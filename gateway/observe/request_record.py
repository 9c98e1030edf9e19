"""`RequestRecord`: what happened to one request; told to metrics, to the log and to traces at its end."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from engine import (
    DeadlineExceeded,
    EngineDead,
    EngineLoading,
    EngineOverloaded,
    InvalidRequest,
    ModelInfo,
    QuotaExceeded,
    TokenDelta,
)
from gateway.observe.metrics import Meter

# The most specific class comes first.
_OUTCOMES: tuple[tuple[type[BaseException], str], ...] = (
    (QuotaExceeded, "quota"),
    (EngineOverloaded, "overloaded"),
    (InvalidRequest, "refused"),
    (DeadlineExceeded, "late"),
    (EngineDead, "dead"),
    (EngineLoading, "dead"),
    (GeneratorExit, "left"),
    (asyncio.CancelledError, "left"),
)


@dataclass(slots=True, kw_only=True)
class RequestRecord:
    """Times are Unix seconds; `queued` is how long the first of its choices waited for a place.

    `streams` are its completions: `choices` for each of its prompts.
    """

    model: ModelInfo
    key: str
    choices: int
    streams: int
    begun: float = field(default_factory=time.time)
    first: float | None = None
    ended: float = 0.0
    queued: float = 0.0
    prompt_tokens: int = 0
    output_tokens: int = 0
    padding: int = 0
    outcome: str = "ok"

    @property
    def tpot(self) -> float | None:
        """Give the seconds for each token after the first, of one completion; None without any."""
        after = self.output_tokens / self.streams - 1
        return (self.ended - self.first) / after if self.first and after > 0 else None

    def take(self, index: int, delta: TokenDelta) -> None:
        """Note a delta."""
        if self.first is None and delta.token_ids:
            self.first = time.time()
        self.output_tokens += len(delta.token_ids)
        usage = delta.usage
        if usage is not None:
            self.queued = usage.queue_seconds if index == 0 else self.queued
            self.padding += _padding(usage.prompt_tokens, self.model.buckets)
            if index % self.choices == 0:
                self.prompt_tokens += usage.prompt_tokens

    def end(self, error: BaseException | None) -> None:
        """Note how it ended."""
        self.ended = time.time()
        if error is not None:
            self.outcome = next(
                (name for kind, name in _OUTCOMES if isinstance(error, kind)), "failed"
            )

    def log_fields(self) -> dict[str, Any]:
        """Give what the log says of it; never a prompt."""
        first, tpot = self.first, self.tpot
        return {
            "model": self.model.id,
            "key": self.key,
            "outcome": self.outcome,
            "prompt_tokens": self.prompt_tokens,
            "output_tokens": self.output_tokens,
            "queue_seconds": round(self.queued, 4),
            "ttft_seconds": None if first is None else round(first - self.begun, 4),
            "tpot_seconds": None if tpot is None else round(tpot, 5),
        }


def _padding(prompt: int, buckets: tuple[int, ...]) -> int:
    bucket = next((size for size in buckets if size >= prompt), prompt)
    return bucket - prompt


@contextmanager
def recording(record: RequestRecord, publish: Callable[[RequestRecord], None]) -> Iterator[None]:
    """End and publish a record when the block ends, with the error that ended it."""
    error: BaseException | None = None
    try:
        yield
    except BaseException as raised:
        error = raised
        raise
    finally:
        record.end(error)
        publish(record)


def measure(record: RequestRecord, meter: Meter) -> None:
    """Tell a record in figures."""
    model = {"model": record.model.id}
    by_key = model | {"key": record.key}
    meter.add("requests_total", by_key | {"outcome": record.outcome})
    meter.add("output_tokens_total", by_key, record.output_tokens)
    if record.outcome == "left":
        meter.add("aborts_total", model)
    if record.first is not None:
        meter.observe("ttft_seconds", model, record.first - record.begun)
    if record.outcome == "ok":
        meter.add("prompt_tokens_total", by_key, record.prompt_tokens)
        meter.add("padding_tokens_total", model, record.padding)
        meter.observe("queue_seconds", model, record.queued)
        meter.observe("e2e_seconds", model, record.ended - record.begun)
        if (tpot := record.tpot) is not None:
            meter.observe("tpot_seconds", model, tpot)

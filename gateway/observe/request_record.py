"""`RequestRecord`: what happened to one request; published once, at its end."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from engine import ModelInfo, QuotaExceeded, TokenDelta
from gateway.errors import row_of
from gateway.observe.metrics import Meter

_OUTCOMES: Final = {400: "invalid", 429: "overloaded", 503: "unavailable", 504: "timeout"}


@dataclass(slots=True, kw_only=True)
class RequestRecord:
    """One request, with `streams` completions: `choices` for each of its prompts.

    Times are Unix seconds. `queue_time` is how long its first completion waited for a slot.
    """

    model: ModelInfo
    key: str
    choices: int
    streams: int
    started_at: float = field(default_factory=time.time)
    first_token_at: float | None = None
    ended_at: float = 0.0
    queue_time: float = 0.0
    prompt_tokens: int = 0
    output_tokens: int = 0
    padding_tokens: int = 0
    outcome: str = "ok"

    @property
    def ttft(self) -> float | None:
        """The seconds to the first token; None where none came."""
        return None if self.first_token_at is None else self.first_token_at - self.started_at

    @property
    def tpot(self) -> float | None:
        """The seconds per token after the first, of one completion; None where there was none."""
        after = self.output_tokens / self.streams - 1
        if self.first_token_at is None or after <= 0:
            return None
        return (self.ended_at - self.first_token_at) / after

    def take(self, index: int, delta: TokenDelta) -> None:
        """Count a delta of the completion with this index."""
        if self.first_token_at is None and delta.token_ids:
            self.first_token_at = time.time()
        self.output_tokens += len(delta.token_ids)
        usage = delta.usage
        if usage is not None:
            self.queue_time = usage.queue_seconds if index == 0 else self.queue_time
            self.padding_tokens += _padding(usage.prompt_tokens, self.model.buckets)
            if index % self.choices == 0:
                self.prompt_tokens += usage.prompt_tokens

    def log_fields(self) -> dict[str, Any]:
        """Return the fields of the access log; never a prompt."""
        ttft, tpot = self.ttft, self.tpot
        return {
            "model": self.model.id,
            "key": self.key,
            "outcome": self.outcome,
            "prompt_tokens": self.prompt_tokens,
            "output_tokens": self.output_tokens,
            "queue_time_seconds": round(self.queue_time, 4),
            "ttft_seconds": None if ttft is None else round(ttft, 4),
            "tpot_seconds": None if tpot is None else round(tpot, 5),
        }


def _outcome(error: BaseException) -> str:
    if isinstance(error, GeneratorExit | asyncio.CancelledError):
        return "cancelled"
    status, _, _ = row_of(error)
    return "rate_limited" if isinstance(error, QuotaExceeded) else _OUTCOMES.get(status, "failed")


def _padding(prompt_tokens: int, buckets: tuple[int, ...]) -> int:
    bucket = next((size for size in buckets if size >= prompt_tokens), prompt_tokens)
    return bucket - prompt_tokens


@contextmanager
def recording(record: RequestRecord, publish: Callable[[RequestRecord], None]) -> Iterator[None]:
    """End a record with the block, by the error that ended it, and publish it."""
    try:
        yield
    except BaseException as error:
        record.outcome = _outcome(error)
        raise
    finally:
        record.ended_at = time.time()
        publish(record)


def publish_metrics(record: RequestRecord, meter: Meter) -> None:
    """Count a request that ended."""
    model = {"model": record.model.id}
    by_key = model | {"key": record.key}
    meter.add("requests_total", by_key | {"outcome": record.outcome})
    meter.add("output_tokens_total", by_key, record.output_tokens)
    if record.outcome == "cancelled":
        meter.add("aborts_total", model)
    if (ttft := record.ttft) is not None:
        meter.observe("ttft_seconds", model, ttft)
    if record.outcome == "ok":
        meter.add("prompt_tokens_total", by_key, record.prompt_tokens)
        meter.add("padding_tokens_total", model, record.padding_tokens)
        meter.observe("queue_time_seconds", model, record.queue_time)
        meter.observe("e2e_seconds", model, record.ended_at - record.started_at)
        if (tpot := record.tpot) is not None:
            meter.observe("tpot_seconds", model, tpot)

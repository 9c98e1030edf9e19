"""`Story`: what happened to one request; told to metrics, to the log and to traces at its end."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
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
from gateway.api.streaming.choices import ChoiceDeltas
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
class Story:
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

    def entry(self) -> dict[str, Any]:
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
def telling(story: Story, tell: Callable[[Story], None]) -> Iterator[None]:
    """Tell a story when the block ends, and by what error."""
    error: BaseException | None = None
    try:
        yield
    except BaseException as raised:
        error = raised
        raise
    finally:
        story.end(error)
        tell(story)


async def observed(
    story: Story, deltas: ChoiceDeltas, tell: Callable[[Story], None]
) -> AsyncGenerator[tuple[int, TokenDelta], None]:
    """Pass a request's deltas on, and tell its story at the end, whatever that is."""
    with telling(story, tell):
        async with aclosing(deltas):
            async for item in deltas:
                story.take(*item)
                yield item


def measure(story: Story, meter: Meter) -> None:
    """Tell a story in figures."""
    model = {"model": story.model.id}
    by_key = model | {"key": story.key}
    meter.add("requests_total", by_key | {"outcome": story.outcome})
    meter.add("output_tokens_total", by_key, story.output_tokens)
    if story.outcome == "left":
        meter.add("aborts_total", model)
    if story.first is not None:
        meter.observe("ttft_seconds", model, story.first - story.begun)
    if story.outcome == "ok":
        meter.add("prompt_tokens_total", by_key, story.prompt_tokens)
        meter.add("padding_tokens_total", model, story.padding)
        meter.observe("queue_seconds", model, story.queued)
        meter.observe("e2e_seconds", model, story.ended - story.begun)
        if (tpot := story.tpot) is not None:
            meter.observe("tpot_seconds", model, tpot)

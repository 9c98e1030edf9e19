"""`Failover`: a request whose replica died continues on another one; its client does not notice."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Final

from engine import (
    DeadlineExceeded,
    Engine,
    EngineDead,
    EngineError,
    EngineLoading,
    EngineOverloaded,
    GenerateRequest,
    InvalidRequest,
    ModelInfo,
    SamplingParams,
    TokenDelta,
)
from gateway.policies.base import EngineMiddleware

FIRST_BACKOFF_SECONDS: Final = 0.1  # each further one is twice as long
MAX_BACKOFF_SECONDS: Final = 2.0
# Raised by a replica that dies, or by another one that a started stream is moved to.
_RETRYABLE: Final = (EngineDead, EngineLoading, EngineOverloaded, DeadlineExceeded, InvalidRequest)


class Failover(EngineMiddleware):
    """Middleware over an engine whose replica may die and be replaced.

    A request without a delta yet is sent again. After that a plain text continues from its tokens:
    the new prompt is the prompt and the tokens that were emitted. `count` is called with the name
    of the metric for each, `retries_total` or `resumes_total`.
    """

    def __init__(
        self, engine: Engine, timeout_seconds: float, count: Callable[[str], None]
    ) -> None:
        super().__init__(engine)
        self._timeout = timeout_seconds
        self._count = count

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[TokenDelta, None]:
        """Yield the deltas of the wrapped engine; raises EngineDead where it cannot continue."""
        progress = _Progress(request)
        backoff, give_up_at = FIRST_BACKOFF_SECONDS, None
        while True:
            try:
                async with aclosing(self._engine.generate(progress.remaining())) as deltas:
                    async for delta in deltas:
                        backoff, give_up_at = FIRST_BACKOFF_SECONDS, None
                        progress.add(delta)
                        yield delta
            except _RETRYABLE as error:
                if progress.finished:
                    return
                now = asyncio.get_running_loop().time()
                give_up_at = give_up_at or now + self._timeout
                if not progress.can_continue(self.model, error) or now + backoff > give_up_at:
                    if not progress.started:
                        raise
                    # The client knows nothing of the other replica, which may have refused.
                    raise EngineDead("The engine of this stream died.") from error
            else:
                return
            self._count("resumes_total" if progress.started else "retries_total")
            await asyncio.sleep(backoff)
            backoff = min(2 * backoff, MAX_BACKOFF_SECONDS)


class _Progress:
    """What a request has so far; `_complete` means that all text of its tokens was emitted."""

    def __init__(self, request: GenerateRequest) -> None:
        self._request = request
        self._emitted = list(request.emitted)
        self._complete = True
        self.started = False
        self.finished = False

    def add(self, delta: TokenDelta) -> None:
        """Add a delta that the client gets."""
        self.started = True
        self.finished = delta.finish_reason is not None
        self._emitted += delta.token_ids
        # The engine holds back an incomplete character: its first tokens have no text.
        self._complete = bool(delta.text) or not delta.token_ids

    def remaining(self) -> GenerateRequest:
        """Return the request that generates the rest."""
        return replace(self._request, emitted=tuple(self._emitted))

    def can_continue(self, model: ModelInfo, error: EngineError) -> bool:
        """Return whether another replica can generate the rest."""
        if not self.started:
            return isinstance(error, EngineDead)
        resumable = self._complete and _is_stateless(self._request.sampling, model)
        return resumable and not isinstance(error, InvalidRequest)


def _is_stateless(sampling: SamplingParams, model: ModelInfo) -> bool:
    """Return whether its tokens are the whole state of a request.

    A grammar has more state, and so have stop strings, whose beginning is held back, and
    penalties; logprobs would have a gap. A seed is state too, unless the engine draws by position.
    """
    default = SamplingParams()
    stateless = all(
        getattr(sampling, name) == getattr(default, name)
        for name in (
            "structured", "stop", "logprobs", "presence_penalty", "frequency_penalty",
            "repetition_penalty",
        )
    )  # fmt: skip
    seeded = sampling.seed is not None and sampling.temperature > 0
    return stateless and (model.draws_by_position or not seeded)

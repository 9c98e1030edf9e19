"""`Failover`: a request whose replica died goes on at another one, unnoticed by its client."""

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

FIRST_PAUSE: Final = 0.1  # seconds; each further one is twice as long
LONGEST_PAUSE: Final = 2.0
# What a replica says that is dead, or that another one says to a stream that comes from there.
_ELSEWHERE: Final = (
    EngineDead,
    EngineLoading,
    EngineOverloaded,
    DeadlineExceeded,
    InvalidRequest,
)


class Failover(EngineMiddleware):
    """An Engine around an Engine that may die under a request and be there again a little later.

    Before the first delta every request is begun anew. After it a plain text goes on from its
    tokens: prompt and emitted tokens are the new prompt. Whoever is told by `told` hears
    `retries_total` or `resumes_total`.
    """

    def __init__(self, engine: Engine, patience: float, told: Callable[[str], None]) -> None:
        super().__init__(engine)
        self._patience = patience
        self._told = told

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[TokenDelta, None]:
        """Stream from the engine behind; raises EngineDead where it cannot go on."""
        progress = _Progress(request)
        pause, end = FIRST_PAUSE, None
        while True:
            try:
                async with aclosing(self._engine.generate(progress.rest())) as deltas:
                    async for delta in deltas:
                        pause, end = FIRST_PAUSE, None
                        progress.take(delta)
                        yield delta
            except _ELSEWHERE as error:
                if progress.finished:
                    return
                now = asyncio.get_running_loop().time()
                end = end or now + self._patience
                if not progress.may_go_on(self.model, error) or now + pause > end:
                    if not progress.begun:
                        raise
                    # Its client knows of no other replica, which may have refused it.
                    raise EngineDead("The engine of this stream died.") from error
            else:
                return
            self._told("resumes_total" if progress.begun else "retries_total")
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)


class _Progress:
    """How far a request is: `complete` says that all text of its tokens was given."""

    def __init__(self, request: GenerateRequest) -> None:
        self._request = request
        self._emitted = list(request.emitted)
        self._complete = True
        self.begun = False
        self.finished = False

    def take(self, delta: TokenDelta) -> None:
        self.begun = True
        self.finished = delta.finish_reason is not None
        self._emitted += delta.token_ids
        # A character that is not whole yet is held back, and its first tokens give no text.
        self._complete = bool(delta.text) or not delta.token_ids

    def rest(self) -> GenerateRequest:
        return replace(self._request, emitted=tuple(self._emitted))

    def may_go_on(self, model: ModelInfo, error: EngineError) -> bool:
        if not self.begun:
            return isinstance(error, EngineDead)
        known = self._complete and _is_plain(self._request.sampling, model)
        return known and not isinstance(error, InvalidRequest)


def _is_plain(sampling: SamplingParams, model: ModelInfo) -> bool:
    """Whether tokens alone are the whole state of a request.

    A grammar has more, and so have stop strings, whose beginning is held back, and penalties;
    logprobs would have a gap. A seed is state too, unless the engine draws by position.
    """
    default = SamplingParams()
    stateless = all(
        getattr(sampling, name) == getattr(default, name)
        for name in (
            "structured", "stop", "logprobs", "presence_penalty", "frequency_penalty",
            "repetition_penalty",
        )
    )  # fmt: skip
    drawn = sampling.seed is not None and sampling.temperature > 0
    return stateless and (model.draws_by_position or not drawn)

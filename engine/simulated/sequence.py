"""`Sequence`: one request on the simulated device."""

import asyncio
from dataclasses import replace

from engine.prompts.request_encoder import EncodedPrompt
from engine.simulated.reply import Reply
from engine.types import GenerateRequest, TokenDelta


class Sequence:
    """The reply that is generated, the next position in it, and what was not yet read.

    `position` counts tokens of the completion, those that were emitted before included.
    """

    def __init__(self, request: GenerateRequest, reply: Reply, prompt: EncodedPrompt) -> None:
        self.request = request
        self.reply = reply
        self.prompt_tokens = prompt.prompt_tokens
        self.position = len(request.emitted)
        self._delta: TokenDelta | None = None
        self._report = prompt.report
        self._error: Exception | None = None
        self._changed = asyncio.Event()

    def put(self, delta: TokenDelta) -> None:
        """Add a delta to the one that was not read yet: memory stays bounded."""
        if self._report is not None:  # this is the first one
            delta, self._report = replace(delta, report=self._report), None
        self._delta = delta if self._delta is None else self._delta + delta
        self._changed.set()

    def fail(self, error: Exception) -> None:
        """Raise this error in `get`, after what was not read yet."""
        self._error = error
        self._changed.set()

    async def get(self) -> TokenDelta:
        """Wait for a delta and return it."""
        await self._changed.wait()
        self._changed.clear()
        if self._delta is None:
            assert self._error is not None
            raise self._error
        delta, self._delta = self._delta, None
        if self._error is not None:
            self._changed.set()
        return delta

"""`PrimedStream`: a stream of deltas that was started before its response begins."""

import asyncio
import contextlib

from engine import TokenDelta
from gateway.deltas import ChoiceDeltas


class PrimedStream:
    """Deltas whose first one has arrived, or is still awaited.

    A class and not a generator: closing a generator that was never started closes nothing.
    Deltas after the `first` one are in `deltas`.
    """

    def __init__(self, deltas: ChoiceDeltas) -> None:
        self.deltas = deltas
        self.first: asyncio.Future[tuple[int, TokenDelta]] = asyncio.ensure_future(anext(deltas))

    async def wait(self, seconds: float) -> None:
        """Wait for the first delta, `seconds` at most; raise what it raised."""
        # Not wait_for: that would cancel the pending delta.
        done, _ = await asyncio.wait({self.first}, timeout=seconds)
        if done and (error := self.first.exception()) is not None:
            raise error

    async def fail(self, error: Exception) -> None:
        """Raise the reader's error inside the stream, which records it as the request's end."""
        with contextlib.suppress(Exception):
            await self.deltas.athrow(error)

    async def aclose(self) -> None:
        """End the stream at whatever point it is; the engine frees its slot."""
        self.first.cancel()
        try:
            await asyncio.gather(self.first, return_exceptions=True)  # nobody reads it any more
        finally:
            await self.deltas.aclose()


async def wait_for_first_delta(deltas: ChoiceDeltas, seconds: float) -> PrimedStream:
    """Start a stream: return with its first delta, or after `seconds` without one.

    Raise what goes wrong in that time, while a status line can still be sent.
    """
    stream = PrimedStream(deltas)
    try:
        await stream.wait(seconds)
    except BaseException:
        await stream.aclose()
        raise
    return stream

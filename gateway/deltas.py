"""Streams of deltas: those of one completion, and those of all completions of a request."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

from engine import TokenDelta

Deltas = AsyncGenerator[TokenDelta, None]
ChoiceDeltas = AsyncGenerator[tuple[int, TokenDelta], None]


async def merge_choices(streams: Sequence[Deltas]) -> ChoiceDeltas:
    """Yield the deltas of all streams as they come, each with the index of its stream.

    Closing it closes every stream.
    """
    pending = {asyncio.ensure_future(anext(stream)): n for n, stream in enumerate(streams)}
    try:
        while pending:
            done, _ = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in sorted(done, key=pending.__getitem__):
                index = pending.pop(task)
                if isinstance(task.exception(), StopAsyncIteration):
                    continue
                delta = task.result()
                pending[asyncio.ensure_future(anext(streams[index]))] = index
                yield index, delta
    finally:
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        for stream in streams:
            await stream.aclose()

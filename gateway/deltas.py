"""Streams of deltas: their types, and the choices of a request merged or collected."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from engine import TokenDelta

Deltas = AsyncGenerator[TokenDelta, None]
ChoiceDeltas = AsyncGenerator[tuple[int, TokenDelta], None]


async def merge_choices(streams: Sequence[Deltas]) -> ChoiceDeltas:
    """Yield the deltas of all streams as they arrive, each with the index of its stream.

    The first error ends the merged stream. Every stream is closed, however it ends.
    """
    if len(streams) == 1:
        async with aclosing(streams[0]) as stream:
            async for delta in stream:
                yield 0, delta
        return
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


async def collect_choices(
    deltas: ChoiceDeltas, count: int, on_delta: Callable[[int, TokenDelta], None]
) -> list[TokenDelta]:
    """Return each choice as one delta, in the order of their indices; call `on_delta` for each."""
    completions = [TokenDelta()] * count
    async with aclosing(deltas):
        async for index, delta in deltas:
            on_delta(index, delta)
            completions[index] += delta
    return completions

"""Several completions of one request: their deltas merged, collected, and counted."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from engine import TokenDelta, Usage

Deltas = AsyncGenerator[TokenDelta, None]
ChoiceDeltas = AsyncGenerator[tuple[int, TokenDelta], None]


async def merged(streams: Sequence[Deltas]) -> ChoiceDeltas:
    """Give every stream's deltas as they come, each with its stream's index."""
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


@dataclass(slots=True)
class UsageTotals:
    """Token counts of a request: `choices` completions of each prompt, prompts counted once."""

    choices: int
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int | None = None

    def add(self, index: int, usage: Usage | None) -> None:
        """Count a completion that ended."""
        assert usage is not None  # the last delta has it, by the laws of an Engine
        self.completion_tokens += usage.completion_tokens
        if usage.reasoning_tokens is not None:
            self.reasoning_tokens = (self.reasoning_tokens or 0) + usage.reasoning_tokens
        if index % self.choices == 0:
            self.prompt_tokens += usage.prompt_tokens
            self.cached_tokens += usage.cached_tokens

    def body(self) -> dict[str, Any]:
        """Write the counts as OpenAI shows them."""
        thought = self.reasoning_tokens
        details = {} if thought is None else {"reasoning_tokens": thought}
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": self.cached_tokens},
        } | ({"completion_tokens_details": details} if details else {})


async def collected(
    deltas: ChoiceDeltas, count: int, note: Callable[[int, TokenDelta], None]
) -> list[TokenDelta]:
    """Read whole completions, one delta each, in order of their index; `note` sees every part."""
    whole = [TokenDelta()] * count
    async with aclosing(deltas):
        async for index, delta in deltas:
            note(index, delta)
            whole[index] += delta
    return whole

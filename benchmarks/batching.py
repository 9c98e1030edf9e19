"""Streams against an OpenAI-compatible URL, timed by the client."""

import asyncio
import time

from openai import AsyncOpenAI


async def stream(client: AsyncOpenAI, model: str, prompt: str, tokens: int) -> None:
    """Run one stream of exactly `tokens` tokens. Raises RuntimeError if it ended before."""
    counted = 0
    chunks = await client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": prompt}],
        max_tokens=tokens,
        temperature=0,
        stream=True,
        stream_options={"include_usage": True},
        extra_body={"ignore_eos": True},
    )
    async for chunk in chunks:
        if chunk.usage is not None:
            counted = chunk.usage.completion_tokens
    if counted != tokens:
        raise RuntimeError(f"a stream ended after {counted} of {tokens} tokens")


async def tokens_per_second(client: AsyncOpenAI, model: str, streams: int, tokens: int) -> float:
    """Run concurrent streams; return all their tokens divided by the time of the slowest."""
    started_at = time.perf_counter()
    await asyncio.gather(
        *(stream(client, model, f"Tell me about the number {n}.", tokens) for n in range(streams))
    )
    return streams * tokens / (time.perf_counter() - started_at)


async def first_model(client: AsyncOpenAI) -> str:
    """Return the id of the first model that a server lists."""
    return (await client.models.list()).data[0].id

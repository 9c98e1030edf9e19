"""Streams against an OpenAI-compatible URL, with their times taken on the client."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionChunk


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream: seconds to its first token and to its end, and its completion tokens."""

    ttft: float
    seconds: float
    tokens: int


async def stream(client: AsyncOpenAI, model: str, prompt: str, tokens: int) -> Stream:
    """Run one stream of exactly `tokens` tokens; raises RuntimeError if it was cut short."""
    begun = time.perf_counter()
    ttft, counted = 0.0, 0
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
        if not ttft and _text(chunk):
            ttft = time.perf_counter() - begun
        if chunk.usage is not None:
            counted = chunk.usage.completion_tokens
    if counted != tokens:
        raise RuntimeError(f"a stream ended after {counted} of {tokens} tokens")
    return Stream(ttft, time.perf_counter() - begun, counted)


async def tokens_per_second(client: AsyncOpenAI, model: str, streams: int, tokens: int) -> float:
    """Run streams at the same time; gives all their tokens by the time of the slowest."""
    begun = time.perf_counter()
    await asyncio.gather(
        *(stream(client, model, f"Tell me about the number {n}.", tokens) for n in range(streams))
    )
    return streams * tokens / (time.perf_counter() - begun)


async def first_model(client: AsyncOpenAI) -> str:
    """Give the id of the first model that a server lists."""
    return (await client.models.list()).data[0].id


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Write a median with its range."""
    middle, least, most = (
        f"{value:.{digits}f}" for value in (median(values), min(values), max(values))
    )
    return f"{middle} ({least} to {most})"


def _text(chunk: ChatCompletionChunk) -> str | None:
    return chunk.choices[0].delta.content if chunk.choices else None

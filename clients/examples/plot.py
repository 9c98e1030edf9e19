"""TTFT and tokens per second of a run as a chart: plot.py [MODEL] [FILE.png]."""

import asyncio
import sys
import time

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot
from openai import AsyncOpenAI

model = sys.argv[1] if len(sys.argv) > 1 else "smollm2-135m-instruct"
file = sys.argv[2] if len(sys.argv) > 2 else "run.png"

# %% One stream: the seconds to its first token, and its tokens per second after that.


async def measure(client: AsyncOpenAI) -> tuple[float, float]:
    begun, first, tokens = time.monotonic(), 0.0, 0
    stream = await client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": "Tell me about rivers."}],
        max_completion_tokens=64,
        stream=True,
        stream_options={"include_usage": True},
    )
    async for chunk in stream:
        if chunk.choices and chunk.choices[0].delta.content and not first:
            first = time.monotonic()
        if chunk.usage:
            tokens = chunk.usage.completion_tokens
    return first - begun, (tokens - 1) / (time.monotonic() - first)


# %% So many streams at once, from one to sixteen.


async def run() -> dict[int, list[tuple[float, float]]]:
    async with AsyncOpenAI() as client:
        return {
            streams: await asyncio.gather(*(measure(client) for _ in range(streams)))
            for streams in (1, 2, 4, 8, 16)
        }


seen = asyncio.run(run())

# %% The picture.

figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.5))
for axis, place, name in zip(axes, (0, 1), ("TTFT, s", "tokens/s of a stream"), strict=True):
    axis.boxplot([[one[place] for one in runs] for runs in seen.values()])
    axis.set_xticklabels(seen)
    axis.set_xlabel("streams at once")
    axis.set_ylabel(name)
    axis.set_ylim(bottom=0)
figure.tight_layout()
figure.savefig(file)
print(f"wrote {file}")

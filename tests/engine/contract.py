"""The laws that every Engine keeps; each backend's and each policy's test module runs them."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import pytest

from engine import Engine, EngineError, GenerateRequest, InvalidRequest, SamplingParams, TokenDelta

PROMPT = "Once upon a time there was"


def request(number: int = 0, **sampling: object) -> GenerateRequest:
    params = SamplingParams(**({"max_tokens": 12, "temperature": 0.0} | sampling))  # type: ignore[arg-type]
    return GenerateRequest(request_id=f"r-{number}", prompt=PROMPT, sampling=params)


async def collect(deltas: AsyncGenerator[TokenDelta, None]) -> list[TokenDelta]:
    return [delta async for delta in deltas]


class EngineContract:
    """Subclasses give the fixture `engine`: a started Engine."""

    async def test_exactly_the_last_delta_has_reason_and_usage(self, engine: Engine) -> None:
        *early, last = await collect(engine.generate(request()))
        assert last.finish_reason == "length"
        assert last.usage is not None
        assert all(delta.finish_reason is None and delta.usage is None for delta in early)

    async def test_usage_counts_the_token_ids(self, engine: Engine) -> None:
        deltas = await collect(engine.generate(request()))
        assert deltas[-1].usage is not None
        assert deltas[-1].usage.completion_tokens == sum(len(d.token_ids) for d in deltas) == 12

    async def test_the_same_request_gives_the_same_text(self, engine: Engine) -> None:
        first, second = [await collect(engine.generate(request(number))) for number in (1, 2)]
        assert "".join(d.text for d in first) == "".join(d.text for d in second)

    async def test_nothing_happens_before_the_first_step(self, engine: Engine) -> None:
        deltas = engine.generate(request(max_tokens=10**9))
        await deltas.aclose()

    async def test_a_prompt_that_does_not_fit_is_the_clients_mistake(self, engine: Engine) -> None:
        with pytest.raises(InvalidRequest):
            await collect(engine.generate(request(max_tokens=10**9)))

    async def test_closing_at_any_moment_leaves_the_engine_serving(self, engine: Engine) -> None:
        for taken in range(4):
            deltas = engine.generate(request(taken))
            for _ in range(taken):
                await anext(deltas, None)  # it may have ended: deltas may be merged
            await deltas.aclose()
        assert await collect(engine.generate(request()))

    async def test_cancelling_the_reader_leaves_the_engine_serving(self, engine: Engine) -> None:
        task = asyncio.create_task(collect(engine.generate(request(max_tokens=500))))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await collect(engine.generate(request()))

    async def test_many_at_once_all_end(self, engine: Engine) -> None:
        results = await asyncio.gather(*(collect(engine.generate(request(n))) for n in range(12)))
        assert all(result[-1].finish_reason for result in results)

    async def test_only_engine_errors_come_out(self, engine: Engine) -> None:
        bad = GenerateRequest(request_id="bad", prompt=(), sampling=SamplingParams(max_tokens=1))
        with contextlib.suppress(EngineError):  # an answer is fine as well
            await collect(engine.generate(bad))

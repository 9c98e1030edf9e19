"""The laws that every Engine keeps; each backend's and each policy's test module runs them.

They are listed in the docstring of `engine.Engine`.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace

import pytest

from engine import (
    Engine,
    EngineBackend,
    GenerateRequest,
    InvalidRequest,
    Load,
    Prompt,
    SamplingParams,
    TokenDelta,
)

PROMPT = "Once upon a time there was"


def request(number: int = 0, **sampling: object) -> GenerateRequest:
    params = SamplingParams(**({"max_tokens": 12, "temperature": 0.0} | sampling))  # type: ignore[arg-type]
    return GenerateRequest(request_id=f"r-{number}", prompt=PROMPT, sampling=params)


def much_too_long(number: int = 0) -> GenerateRequest:
    """Make a request for more tokens than any context has, which are not to be lowered."""
    return replace(request(number, max_tokens=10**9), refuse_max_tokens_over_context=True)


async def collect(deltas: AsyncGenerator[TokenDelta, None]) -> list[TokenDelta]:
    return [delta async for delta in deltas]


async def outcome(engine: Engine, asked: GenerateRequest) -> list[TokenDelta] | Exception:
    try:
        return await collect(engine.generate(asked))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is looked at
        return error


def timers() -> set[object]:
    """The handles of the running loop that are due later and not cancelled."""
    scheduled = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
    return {handle for handle in scheduled if not handle.cancelled()}


async def until(condition: Callable[[], bool], seconds: float = 2) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


class EngineContract:
    """Subclasses give the fixtures `engine`, a started Engine, and `backend`, the one inside."""

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

    async def test_nothing_happens_before_the_first_step(
        self, engine: Engine, backend: EngineBackend
    ) -> None:
        tasks, handles = asyncio.all_tasks(), timers()
        refused, accepted = (
            engine.generate(much_too_long()), engine.generate(request(1)),
        )  # fmt: skip
        await asyncio.sleep(0.05)
        assert (backend.load.running, backend.load.waiting) == (0, 0)
        assert asyncio.all_tasks() <= tasks
        assert timers() <= handles
        await accepted.aclose()
        with pytest.raises(InvalidRequest):
            await anext(refused)

    async def test_a_prompt_that_does_not_fit_is_the_clients_mistake(self, engine: Engine) -> None:
        with pytest.raises(InvalidRequest):
            await collect(engine.generate(much_too_long()))

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

    @pytest.mark.parametrize("prompt", [(), (-1,), (2**40,), "", "\ud800"], ids=repr)
    async def test_only_engine_errors_come_out(self, engine: Engine, prompt: Prompt) -> None:
        """A prompt that means nothing is answered or refused; nothing else is raised."""
        params = SamplingParams(max_tokens=1)
        asked = GenerateRequest(request_id="bad", prompt=prompt, sampling=params)
        ended = await outcome(engine, asked)
        assert isinstance(ended, list | InvalidRequest), repr(ended)

    async def test_nothing_is_left_behind(self, engine: Engine, backend: EngineBackend) -> None:
        """Read to the end, closed early, cancelled, refused: no slot, no task, no timer is kept."""
        await collect(engine.generate(request()))  # what lives as long as the engine is made now
        tasks, handles = asyncio.all_tasks(), timers()
        readers = [
            asyncio.create_task(collect(engine.generate(request(n, max_tokens=500))))
            for n in range(8)
        ]
        closed = engine.generate(request(20, max_tokens=500))
        await anext(closed)
        for reader in readers[::2]:
            reader.cancel()
        await closed.aclose()
        await asyncio.gather(*readers, return_exceptions=True)
        await outcome(engine, much_too_long(21))
        await until(lambda: backend.load == Load(running=0, waiting=0, slots=backend.load.slots))
        await until(lambda: asyncio.all_tasks() <= tasks)
        await until(lambda: timers() <= handles)

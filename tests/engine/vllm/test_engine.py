"""vLLM on the CPU; one engine serves the whole module, and the last test but one kills it."""

import asyncio
import contextlib
import gc
import multiprocessing
import os
import signal
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from engine import (
    DEFAULT_MODEL,
    Chat,
    ContextLengthExceeded,
    Cpu,
    EngineBackend,
    EngineConfig,
    EngineDead,
    GenerateRequest,
    InvalidRequest,
    SamplingParams,
    TokenDelta,
    create_engine,
    resolve_model,
)
from gateway.serving.environment import cache_folder
from tests.engine.contract import EngineContract

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("default"),  # vLLM's and torch's own warnings
]

QUESTION = Chat(messages=({"role": "user", "content": "What is the capital of France?"},))
SLOTS = 16


@contextlib.asynccontextmanager
async def started() -> AsyncIterator[EngineBackend]:
    folder: Path = resolve_model(DEFAULT_MODEL, cache=cache_folder(), progress=lambda _: None)
    config = EngineConfig(
        model=str(folder), max_model_len=2048, max_num_seqs=SLOTS, device=Cpu(kv_cache_gib=1)
    )
    made = create_engine("smol", config)
    await made.start()
    yield made
    await made.close()
    gc.collect()  # vLLM leaves a ZeroMQ context open when its EngineCore is killed: warn here


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[EngineBackend]:
    async with started() as made:
        yield made


def ask(prompt: Any = QUESTION, emitted: tuple[int, ...] = (), **sampling: Any) -> GenerateRequest:
    sampling = {"temperature": 0.0, "max_tokens": 32} | sampling
    return GenerateRequest(
        request_id="test", prompt=prompt, sampling=SamplingParams(**sampling), emitted=emitted
    )


async def collect(engine: EngineBackend, request: GenerateRequest) -> list[TokenDelta]:
    async with contextlib.aclosing(engine.generate(request)) as deltas:
        return [delta async for delta in deltas]


def joined(deltas: list[TokenDelta]) -> TokenDelta:
    whole = TokenDelta()
    for delta in deltas:
        whole = whole + delta
    return whole


async def test_answers_and_answers_the_same_again(engine: EngineBackend) -> None:
    first, second = [joined(await collect(engine, ask())) for _ in range(2)]
    assert "Paris" in first.text
    assert (first.text, first.token_ids) == (second.text, second.token_ids)
    assert first.finish_reason == "stop"


async def test_only_the_last_delta_has_reason_and_usage(engine: EngineBackend) -> None:
    deltas = await collect(engine, ask(max_tokens=5, ignore_eos=True))
    assert [d.finish_reason for d in deltas] == [None] * (len(deltas) - 1) + ["length"]
    assert all(d.usage is None for d in deltas[:-1])
    usage = deltas[-1].usage
    assert usage is not None
    assert usage.completion_tokens == len(joined(deltas).token_ids) == 5
    assert usage.prompt_tokens > 10


async def test_the_first_delta_alone_reports_what_became_of_the_prompt(
    engine: EngineBackend,
) -> None:
    chat = replace(QUESTION, reasoning_effort="high")
    asked = replace(ask(chat, max_tokens=10**6), report_prompt=True)
    first, *others = await collect(engine, asked)
    assert first.report is not None
    assert first.report.ignored == ("reasoning_effort", "max_tokens")
    tokens = await engine.tokenize(QUESTION, add_special_tokens=False)
    assert first.report.token_ids == tokens.ids
    assert all(delta.report is None for delta in [*others, *await collect(engine, ask())])


async def test_without_max_tokens_it_is_the_model_that_stops(engine: EngineBackend) -> None:
    whole = joined(await collect(engine, ask("1 2 3 4 5 6 7 8 9", max_tokens=None, stop=("20",))))
    assert len(whole.token_ids) > 16  # vLLM's own default
    assert "20" not in whole.text


async def test_goes_on_after_what_was_emitted(engine: EngineBackend) -> None:
    whole = joined(await collect(engine, ask()))
    rest = joined(await collect(engine, ask(emitted=whole.token_ids[:3])))
    assert rest.token_ids == whole.token_ids[3:]
    assert whole.text.endswith(rest.text)
    assert rest.usage is not None
    assert whole.usage is not None
    assert rest.usage.completion_tokens == whole.usage.completion_tokens
    assert rest.usage.prompt_tokens == whole.usage.prompt_tokens


async def test_a_completion_with_no_token_left_is_one_empty_delta(engine: EngineBackend) -> None:
    (delta,) = await collect(engine, ask((5, 6), emitted=(7, 8), max_tokens=2))
    assert (delta.text, delta.finish_reason) == ("", "length")


async def test_sixteen_streams_progress_side_by_side(engine: EngineBackend) -> None:
    order: list[int] = []

    async def one(number: int) -> TokenDelta:
        whole = TokenDelta()
        async for delta in engine.generate(ask(f"Item {number}:", max_tokens=24, ignore_eos=True)):
            order.append(number)
            whole = whole + delta
        return whole

    answers = await asyncio.gather(*map(one, range(SLOTS)))
    assert [len(a.token_ids) for a in answers] == [24] * SLOTS
    last_start = max(order.index(n) for n in range(SLOTS))
    first_end = min(len(order) - 1 - order[::-1].index(n) for n in range(SLOTS))
    assert last_start < first_end


async def until(condition: Callable[[], bool], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the engine has no event for it
            await asyncio.sleep(0.01)


async def free(engine: EngineBackend) -> None:
    """Wait, for a second, until neither the engine nor vLLM counts a request."""
    llm: Any = engine._llm  # type: ignore[attr-defined]  # the truth is in vLLM
    await until(lambda: not engine.load.running and not llm.get_num_unfinished_requests(), 1)


async def test_leaving_in_mid_stream_frees_the_slot(engine: EngineBackend) -> None:
    deltas = engine.generate(ask(max_tokens=1000, ignore_eos=True))
    await anext(deltas)
    assert engine.load.running == 1
    await deltas.aclose()
    await free(engine)


@pytest.mark.parametrize("ticks", [0, 1, 2, 3, 5, 10, 30])
async def test_leaving_before_the_first_token_frees_the_slot(
    engine: EngineBackend, ticks: int
) -> None:
    deltas = engine.generate(ask(f"{ticks} " * 300, max_tokens=1000, ignore_eos=True))
    task = asyncio.ensure_future(anext(deltas))
    for _ in range(ticks):
        await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await free(engine)


async def test_counts_those_who_wait_for_a_slot(engine: EngineBackend) -> None:
    tasks = [
        asyncio.create_task(collect(engine, ask(f"{n}", max_tokens=50, ignore_eos=True)))
        for n in range(SLOTS + 4)
    ]
    await until(lambda: engine.load.waiting == 4, 10)
    assert engine.load.running == engine.load.slots == SLOTS
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    await free(engine)


async def test_a_prompt_that_is_too_long_fails_alone(engine: EngineBackend) -> None:
    with pytest.raises(ContextLengthExceeded):
        await collect(engine, ask("word " * 3000))
    await engine.check_health()
    assert "Paris" in joined(await collect(engine, ask())).text


@pytest.mark.parametrize(
    "sampling",
    [
        {"logit_bias": {10**9: 1.0}},
        {"top_p": 7.0},
        {"temperature": -1.0},
        {"stop": ("",)},
        {"stop_token_ids": (-5,)},
    ],
)
async def test_odd_sampling_fails_alone(engine: EngineBackend, sampling: dict[str, Any]) -> None:
    with contextlib.suppress(InvalidRequest):
        await collect(engine, ask(**sampling))
    assert "Paris" in joined(await collect(engine, ask())).text


async def test_zero_temperature_keeps_the_other_settings_legal(engine: EngineBackend) -> None:
    settings = {"top_k": 0, "min_p": 0.1, "seed": 7, "presence_penalty": 1.0, "top_p": 0.5}
    assert joined(await collect(engine, ask(**settings, logit_bias={5: 100.0}, min_tokens=2)))


class TestContract(EngineContract):
    """The laws of every Engine, on the real one."""

    @pytest.fixture
    def backend(self, engine: EngineBackend) -> EngineBackend:
        return engine


async def death(deltas: AsyncGenerator[TokenDelta, None]) -> float:
    with pytest.raises(EngineDead):
        async for _ in deltas:
            pass
    return time.monotonic()


async def started_streams(engine: EngineBackend) -> list[AsyncGenerator[TokenDelta, None]]:
    """Return three long streams, after the first delta of each."""
    streams = [engine.generate(ask(f"{n}", max_tokens=1500, ignore_eos=True)) for n in range(3)]
    for stream in streams:
        await anext(stream)
    return streams


def signal_core(signal_: signal.Signals) -> BaseProcess:
    """Send a signal to the only EngineCore, and return it."""
    (core,) = multiprocessing.active_children()
    assert core.pid is not None
    os.kill(core.pid, signal_)
    return core


async def test_a_killed_engine_core_ends_every_stream(engine: EngineBackend) -> None:
    """The module's engine is dead after it."""
    streams = await started_streams(engine)
    signal_core(signal.SIGKILL)
    killed = time.monotonic()
    async with asyncio.timeout(10):
        ends = await asyncio.gather(*map(death, streams))
    assert max(ends) - killed < 3
    with pytest.raises(EngineDead):
        await engine.check_health()
    with pytest.raises(EngineDead):
        await collect(engine, ask())
    assert engine.phase == "dead"
    assert engine.load.running == 0


async def test_an_engine_core_that_hangs_is_noticed_and_ends_its_streams() -> None:
    async with started() as engine:
        engine.hang_timeout_seconds = 1  # type: ignore[attr-defined]
        streams = await started_streams(engine)
        core = signal_core(signal.SIGSTOP)
        ends = asyncio.gather(*map(death, streams))
        await asyncio.sleep(1.5)
        with pytest.raises(EngineDead, match="no progress"):
            await engine.check_health()
        async with asyncio.timeout(15):
            await ends
            await engine.close()
        await until(lambda: not core.is_alive(), 5)

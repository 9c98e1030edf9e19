"""Each request's own temperature, top_k and top_p reach the device, whatever runs beside it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from engine import EngineBackend, GenerateRequest, SamplingParams
from tests.engine.neuron.conftest import Lab, lab_in
from tests.engine.neuron.lab.journal import answer, rows_by_prompt, same, wanted_row

# Cores that the module's engine does not hold.
ELSEWHERE: dict[str, Any] = {"instance": "inf2.24xlarge", "cores": (2, 3)}

pytestmark = [
    pytest.mark.neuron_lab,
    pytest.mark.timeout(240),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("default"),
]

# Prompts differ in length, so that the journal tells them apart.
MIXED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("r0: the quick", {"temperature": 0.0}),
    ("r1: brown fox jumps", {"temperature": 0.9, "top_k": 50, "top_p": 0.95}),
    ("r2: over the lazy dog and", {"temperature": 0.3, "top_k": 7}),
    ("r3: runs away into the deep wood", {"temperature": 1.2}),
)
BY_LENGTH = {len(prompt): wanted_row(**sampling) for prompt, sampling in MIXED}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> Any:
    with lab_in(tmp_path_factory.mktemp("rows"), tiny) as lab:
        yield lab


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(shared: Lab) -> AsyncIterator[EngineBackend]:
    async with shared.engine() as backend:
        yield backend


@pytest.fixture(autouse=True)
def fresh_journal(shared: Lab) -> None:
    shared.forget()


def request(prompt: str, tokens: int = 40, **sampling: Any) -> GenerateRequest:
    fixed = {"max_tokens": tokens, "ignore_eos": True}
    params = SamplingParams(**(fixed | sampling))
    return GenerateRequest(request_id=prompt[:2], prompt=prompt, sampling=params)


async def generate(engine: EngineBackend, prompt: str, delay: float = 0, **sampling: Any) -> str:
    await asyncio.sleep(delay)
    deltas = [delta async for delta in engine.generate(request(prompt, **sampling))]
    return "".join(delta.text for delta in deltas)


def ids(prompt: str) -> list[int]:
    return [byte + 3 for byte in prompt.encode()]


def misplaced(lab: Lab) -> list[tuple[int, list[float]]]:
    """Return the rows of requests that ran together which reached another sequence."""
    rows = rows_by_prompt(lab.calls)
    assert len(rows) > 1
    assert any(len(call["seq_ids"]) > 1 for call in lab.calls)
    return [
        (length, row)
        for length, some in rows.items()
        for row in some
        if not same(row, BY_LENGTH[length])
    ]


async def test_mixed_requests_keep_their_rows(shared: Lab, engine: EngineBackend) -> None:
    texts = await asyncio.gather(
        *(generate(engine, p, 0.05 * n, **s) for n, (p, s) in enumerate(MIXED))
    )
    assert misplaced(shared) == []
    assert max(len(call["seq_ids"]) for call in shared.calls) == 4
    for text, (prompt, sampling) in zip(texts, MIXED, strict=True):
        assert text == answer(ids(prompt), 40, greedy=sampling["temperature"] == 0)


async def test_arrivals_in_mid_decode_change_nothing(shared: Lab, engine: EngineBackend) -> None:
    delays = (0.0, 0.35, 0.1, 0.2)
    await asyncio.gather(
        *(generate(engine, p, d, **s) for d, (p, s) in zip(delays, MIXED, strict=True))
    )
    assert misplaced(shared) == []


async def test_an_abort_in_the_middle_of_the_batch_changes_nothing(
    shared: Lab, engine: EngineBackend
) -> None:
    async def leave(prompt: str, after: int, **sampling: Any) -> None:
        async with aclosing(engine.generate(request(prompt, 200, **sampling))) as deltas:
            for _ in range(after):
                await anext(deltas)

    others = [generate(engine, p, 0.05 * n, **s) for n, (p, s) in enumerate(MIXED) if n != 1]
    await asyncio.gather(leave(MIXED[1][0], 12, **MIXED[1][1]), *others)
    assert misplaced(shared) == []


async def test_a_slot_that_is_used_again_keeps_nothing_of_its_last_request(
    shared: Lab, engine: EngineBackend
) -> None:
    for _ in range(3):
        await asyncio.gather(
            *(
                generate(engine, p, 0.02 * n, max_tokens=4 + 9 * n, **s)
                for n, (p, s) in enumerate(MIXED)
            )
        )
    assert misplaced(shared) == []
    assert len({slot for call in shared.calls for slot in call["seq_ids"]}) == 4


async def test_more_requests_than_slots_keep_their_rows(shared: Lab, engine: EngineBackend) -> None:
    await asyncio.gather(
        *(generate(engine, p, 0.01 * n, **s) for n, (p, s) in enumerate(MIXED * 3))
    )
    assert misplaced(shared) == []


async def test_choices_of_one_prompt_keep_their_rows(shared: Lab, engine: EngineBackend) -> None:
    prompt, sampling = MIXED[1]
    choices = [generate(engine, prompt, **sampling) for _ in range(3)]
    await asyncio.gather(*choices, generate(engine, MIXED[0][0], temperature=0.0))
    assert misplaced(shared) == []


async def test_prefix_caching_changes_nothing(tmp_path: Path, tiny: Path) -> None:
    with lab_in(tmp_path, tiny) as lab:
        async with lab.engine(prefix_caching=True, block_size=32, **ELSEWHERE) as engine:
            for _ in range(2):
                await asyncio.gather(
                    *(generate(engine, p, 0.05 * n, **s) for n, (p, s) in enumerate(MIXED))
                )
        assert misplaced(lab) == []


async def test_without_the_hook_the_rows_are_mixed_up(tmp_path: Path, tiny: Path) -> None:
    with lab_in(tmp_path, tiny) as lab:
        async with lab.engine(sampling_class={}, **ELSEWHERE) as engine:
            await asyncio.gather(
                *(generate(engine, p, 0.05 * n, **s) for n, (p, s) in enumerate(MIXED))
            )
        assert misplaced(lab)

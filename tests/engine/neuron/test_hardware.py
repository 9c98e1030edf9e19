"""What only a device can tell, asked of a gateway that serves on it: `make test-neuron URL=...`.

`NEURON_URL` is the gateway's address. Nothing of these tests depends on the model.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

import httpx
import openai
import pytest
import pytest_asyncio

URL = os.environ.get("NEURON_URL", "")
HOT = {"temperature": 1.5, "top_p": 0.95}
ASK: dict[str, Any] = {"max_tokens": 48, "temperature": 0}

pytestmark = [
    pytest.mark.neuron,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not URL, reason="run `make test-neuron URL=http://127.0.0.1:8000`"),
]


@pytest_asyncio.fixture
async def client() -> AsyncIterator[openai.AsyncOpenAI]:
    options: dict[str, Any] = {
        "base_url": f"{URL}/v1",
        "api_key": "none",
        "max_retries": 0,
        "timeout": 300,
    }
    async with openai.AsyncOpenAI(**options) as client:
        yield client


@pytest.fixture
def model() -> dict[str, Any]:
    listed: dict[str, Any] = httpx.get(f"{URL}/v1/models").json()["data"][0]
    return listed


async def answer(client: openai.AsyncOpenAI, model: str, prompt: str, **sampling: Any) -> str:
    made = await client.completions.create(model=model, prompt=prompt, **(ASK | sampling))
    return made.choices[0].text


def prompts(kind: str) -> list[str]:
    return [f"A {kind} number {n} goes down to the river and" for n in range(3)]


async def test_greedy_answers_do_not_change_beside_sampled_ones(
    client: openai.AsyncOpenAI, model: dict[str, Any]
) -> None:
    alone = [await answer(client, model["id"], prompt) for prompt in prompts("fox")]
    sampled = [answer(client, model["id"], prompt, **HOT) for prompt in prompts("dog")]
    greedy = [answer(client, model["id"], prompt) for prompt in prompts("fox")]
    mixed = [one for pair in zip(sampled, greedy, strict=True) for one in pair]
    assert (await asyncio.gather(*mixed))[1::2] == alone


async def test_sampled_answers_are_sampled_beside_greedy_ones(
    client: openai.AsyncOpenAI, model: dict[str, Any]
) -> None:
    (prompt, *_) = prompts("cat")
    greedy, *sampled = await asyncio.gather(
        answer(client, model["id"], prompt),
        *(answer(client, model["id"], prompt, **HOT) for _ in range(3)),
    )
    assert any(text != greedy for text in sampled)


async def test_a_prompt_above_the_limit_is_a_400_and_the_next_is_served(
    client: openai.AsyncOpenAI, model: dict[str, Any]
) -> None:
    too_long = "river " * (2 * model["max_model_len"])
    with pytest.raises(openai.BadRequestError):
        await answer(client, model["id"], too_long)
    assert await answer(client, model["id"], "The river")


async def test_more_requests_than_slots_are_all_served(
    client: openai.AsyncOpenAI, model: dict[str, Any]
) -> None:
    asked = [answer(client, model["id"], f"Number {n}:", max_tokens=8) for n in range(24)]
    assert all(await asyncio.gather(*asked))

"""The choices of a request as one stream: merged, collected, and closed together."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from engine import GenerationFailed, TokenDelta, TokenLogprob
from gateway.deltas import ChoiceDeltas, merge_choices


class Choice:
    """A stream of one-letter deltas, `pause` seconds apart; fails at `fails_at`."""

    def __init__(self, text: str, pause: float = 0.0, fails_at: int = -1) -> None:
        self._text = text
        self._pause = pause
        self._fails_at = fails_at
        self.closed = False

    async def deltas(self) -> AsyncGenerator[TokenDelta, None]:
        try:
            for place, letter in enumerate(self._text):
                await asyncio.sleep(self._pause)
                if place == self._fails_at:
                    raise GenerationFailed("It failed.")
                yield TokenDelta(text=letter)
        finally:
            self.closed = True


def merged(*choices: Choice) -> ChoiceDeltas:
    return merge_choices([choice.deltas() for choice in choices])


@pytest.mark.parametrize("texts", [["abc"], ["abc", "x", "12345"]])
async def test_each_delta_has_the_index_of_its_choice(texts: list[str]) -> None:
    seen = [(index, delta.text) async for index, delta in merged(*map(Choice, texts))]
    for index, text in enumerate(texts):
        assert "".join(letter for n, letter in seen if n == index) == text


async def test_a_slow_choice_does_not_hold_back_a_fast_one() -> None:
    async with aclosing(merged(Choice("slow", pause=5), Choice("fast"))) as deltas:
        seen = [await anext(deltas) for _ in range(4)]
    assert [(index, delta.text) for index, delta in seen] == [(1, letter) for letter in "fast"]


@pytest.mark.parametrize("others", [0, 2])
async def test_closing_closes_every_choice(others: int) -> None:
    choices = [Choice("abc"), *(Choice("abc", pause=5) for _ in range(others))]
    deltas = merged(*choices)
    await anext(deltas)
    await deltas.aclose()
    assert all(choice.closed for choice in choices)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_the_error_of_one_choice_ends_all() -> None:
    choices = [Choice("abc", fails_at=1), Choice("abc", pause=5)]
    with pytest.raises(GenerationFailed):
        async for _ in merged(*choices):
            pass
    assert all(choice.closed for choice in choices)
    assert asyncio.all_tasks() == {asyncio.current_task()}


def test_two_deltas_are_one_with_all_of_both() -> None:
    shown = TokenLogprob(token="b", logprob=-1.0)
    joined = TokenDelta(text="a", token_ids=(1,)) + TokenDelta(
        text="b", token_ids=(2,), logprobs=(shown,), finish_reason="stop"
    )
    assert (joined.text, joined.token_ids, joined.logprobs) == ("ab", (1, 2), (shown,))
    assert joined.finish_reason == "stop"

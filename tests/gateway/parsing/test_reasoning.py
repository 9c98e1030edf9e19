"""Thought and answer, told apart however the text is cut."""

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.parsing.deltas import ContentDelta, MessageDelta, ReasoningDelta, join_deltas
from gateway.parsing.reasoning import ReasoningParser

PIECES = st.sampled_from(
    ["<think>", "</think>", "<th", "</", "think>", "<", " ", "\n", "é", "思", "o"]
)
TEXTS = st.lists(PIECES, max_size=12).map("".join)


def parsed(*pieces: str, inside: bool = False) -> list[MessageDelta]:
    parser = ReasoningParser(begins_inside=inside)
    parts = [part for piece in pieces for part in parser.feed(piece)]
    return join_deltas([*parts, *parser.finish()])


def joined(parts: list[MessageDelta]) -> str:
    return "".join(part.text for part in parts if isinstance(part, ContentDelta | ReasoningDelta))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("just text ", [ContentDelta("just text ")]),
        ("<think>\nhm\n</think>\n\nYes.", [ReasoningDelta("hm"), ContentDelta("Yes.")]),
        ("\n<think>\n\n</think>\n\nYes.\n", [ContentDelta("Yes.\n")]),
        ("a <think>b</think> c", [ContentDelta("a"), ReasoningDelta("b"), ContentDelta("c")]),
        ("<think>cut off ", [ReasoningDelta("cut off ")]),
        ("<think>a <b </thin", [ReasoningDelta("a <b </thin")]),
        ("1 < 2 and <thin", [ContentDelta("1 < 2 and <thin")]),
        ("stray </think> here", [ContentDelta("stray </think> here")]),
        ("<think>a<think>b</think>c", [ReasoningDelta("a<think>b"), ContentDelta("c")]),
    ],
)
def test_sections(text: str, parts: list[MessageDelta]) -> None:
    assert parsed(text) == parts


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("\nhm\n</think>\nYes.", [ReasoningDelta("hm"), ContentDelta("Yes.")]),
        ("\n<think>\nhm</think>Yes.", [ReasoningDelta("hm"), ContentDelta("Yes.")]),
        ("<thi", [ReasoningDelta("<thi")]),
        ("only thought", [ReasoningDelta("only thought")]),
        ("</think>Yes.", [ContentDelta("Yes.")]),
        (
            "a</think>b<think>c</think>d",
            [ReasoningDelta("a"), ContentDelta("b"), ReasoningDelta("c"), ContentDelta("d")],
        ),
    ],
)
def test_a_template_that_begins_inside(text: str, parts: list[MessageDelta]) -> None:
    assert parsed(text, inside=True) == parts


def test_parts_come_as_soon_as_they_are_certain() -> None:
    parser = ReasoningParser()
    assert parser.feed("<thi") == []
    assert parser.feed("nk>I think") == [ReasoningDelta("I think")]
    assert parser.feed(" so</thi") == [ReasoningDelta(" so")]
    assert parser.feed("s") == [ReasoningDelta("</this")]
    assert parser.feed("</think>Y") == [ContentDelta("Y")]


@pytest.mark.parametrize("inside", [False, True])
def test_cuts_do_not_matter(inside: bool) -> None:
    text = " <think>\nhé, <思>\n </think>\n\nA <thin> <think>b</think>\nc </think "
    whole = parsed(text, inside=inside)
    assert parsed(*text, inside=inside) == whole
    for a, b in combinations(range(len(text) + 1), 2):
        assert parsed(text[:a], text[a:b], text[b:], inside=inside) == whole


@given(TEXTS, st.lists(st.integers(0, 60)), st.booleans())
def test_random_cuts_do_not_matter(text: str, cuts: list[int], inside: bool) -> None:
    ends = [0, *sorted(cuts), len(text)]
    pieces = [text[a:b] for a, b in pairwise(ends)]
    assert parsed(*pieces, inside=inside) == parsed(text, inside=inside)


@given(TEXTS)
def test_nothing_but_markers_and_the_space_next_to_them_is_lost(text: str) -> None:
    kept = joined(parsed(text))
    if "<think>" not in text:
        assert kept == text
    letters = [[char for char in each if char in "éo思"] for each in (kept, text)]
    assert letters[0] == letters[1]

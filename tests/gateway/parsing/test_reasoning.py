"""Thought and answer, told apart however the text is cut."""

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.parsing.deltas import Content, Part, Reasoning, merged
from gateway.parsing.reasoning import ReasoningParser

PIECES = st.sampled_from(
    ["<think>", "</think>", "<th", "</", "think>", "<", " ", "\n", "é", "思", "o"]
)
TEXTS = st.lists(PIECES, max_size=12).map("".join)


def parsed(*pieces: str, inside: bool = False) -> list[Part]:
    parser = ReasoningParser(begins_inside=inside)
    parts = [part for piece in pieces for part in parser.feed(piece)]
    return merged([*parts, *parser.finish()])


def joined(parts: list[Part]) -> str:
    return "".join(part.text for part in parts if isinstance(part, Content | Reasoning))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("just text ", [Content("just text ")]),
        ("<think>\nhm\n</think>\n\nYes.", [Reasoning("hm"), Content("Yes.")]),
        ("\n<think>\n\n</think>\n\nYes.\n", [Content("Yes.\n")]),
        ("a <think>b</think> c", [Content("a"), Reasoning("b"), Content("c")]),
        ("<think>cut off ", [Reasoning("cut off ")]),
        ("<think>a <b </thin", [Reasoning("a <b </thin")]),
        ("1 < 2 and <thin", [Content("1 < 2 and <thin")]),
        ("stray </think> here", [Content("stray </think> here")]),
        ("<think>a<think>b</think>c", [Reasoning("a<think>b"), Content("c")]),
    ],
)
def test_sections(text: str, parts: list[Part]) -> None:
    assert parsed(text) == parts


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("\nhm\n</think>\nYes.", [Reasoning("hm"), Content("Yes.")]),
        ("\n<think>\nhm</think>Yes.", [Reasoning("hm"), Content("Yes.")]),
        ("<thi", [Reasoning("<thi")]),
        ("only thought", [Reasoning("only thought")]),
        ("</think>Yes.", [Content("Yes.")]),
        (
            "a</think>b<think>c</think>d",
            [Reasoning("a"), Content("b"), Reasoning("c"), Content("d")],
        ),
    ],
)
def test_a_template_that_begins_inside(text: str, parts: list[Part]) -> None:
    assert parsed(text, inside=True) == parts


def test_parts_come_as_soon_as_they_are_certain() -> None:
    parser = ReasoningParser()
    assert parser.feed("<thi") == []
    assert parser.feed("nk>I think") == [Reasoning("I think")]
    assert parser.feed(" so</thi") == [Reasoning(" so")]
    assert parser.feed("s") == [Reasoning("</this")]
    assert parser.feed("</think>Y") == [Content("Y")]


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

"""Sentences as spans of the text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestration.contracts import sentence_spans, split_sentences


@given(st.text(st.sampled_from("Ab. \n?1"), max_size=40), st.integers(0, 5), st.integers(0, 45))
def test_spans_are_the_pieces_without_the_white_space_around_them(text: str, start: int, end: int) -> None:
    spans = sentence_spans(text, start, end)
    pieces = [piece.strip() for piece in split_sentences(text[start:end])]
    assert [text[each.start_char : each.end_char] for each in spans] == [each for each in pieces if each]


def test_offsets_are_those_of_the_whole_text() -> None:
    text = "Title. It rose.\n  It fell. The end."
    spans = sentence_spans(text, 7, 26)
    assert [(each.start_char, each.end_char) for each in spans] == [(7, 15), (18, 26)]

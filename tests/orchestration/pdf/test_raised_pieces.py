"""Marks that a PDF draws apart from their line keep their characters, whatever they are joined to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.pdf.text_layer.pieces import Piece
from orchestration.pdf.text_layer.raised_pieces import with_raised_pieces
from orchestration.pdf.text_layer.words import Word


def a_piece(text: str, left: float, *, size: float = 10.0, baseline: float = 100.0) -> Piece:
    """One word; each of its characters is half as wide as its size."""
    right = left + len(text) * size / 2
    top, bottom = baseline - 0.8 * size, baseline + 0.2 * size
    return Piece((Word(text, left, right),), left, top, right, bottom, baseline, size, bold=False)


def characters(pieces: Sequence[Piece]) -> Counter[str]:
    return Counter(letter for piece in pieces for letter in piece.text if letter.isalnum())


def test_a_mark_that_holds_a_smaller_mark_takes_it_along() -> None:
    host = a_piece("line", 0)
    mark = a_piece("b", 21, size=7, baseline=95)
    smaller = a_piece("c", 19, size=4, baseline=93.5)  # too high for the line
    (joined,) = with_raised_pieces([host, mark, smaller])
    assert characters([joined]) == Counter("linebc")


def test_a_piece_reaches_as_far_as_what_is_raised_and_lowered_beside_it() -> None:
    host, lowered = a_piece("CO", 0), a_piece("2", 10, size=7, baseline=103)
    (joined,) = with_raised_pieces([host, lowered])
    assert (joined.text, joined.top, joined.bottom) == ("CO2", host.top, lowered.bottom)
    raised = a_piece("2", 10, size=7, baseline=95)
    (joined,) = with_raised_pieces([host, raised])
    assert (joined.top, joined.bottom) == (raised.top, host.bottom)


@settings(max_examples=400)
@given(
    st.lists(
        st.builds(
            a_piece,
            st.sampled_from(["a", "1", "bc", "23"]),
            st.integers(0, 12),
            size=st.sampled_from([4.0, 7.0, 10.0]),
            baseline=st.sampled_from([93.5, 95.0, 100.0, 102.0]),
        ),
        max_size=5,
    )
)
def test_no_character_is_lost_or_doubled(pieces: list[Piece]) -> None:
    assert characters(with_raised_pieces(pieces)) == characters(pieces)

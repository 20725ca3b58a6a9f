"""Texts in pieces: nothing lost, nothing too long, and the strongest weight of each term."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gpu_actors.batches.pieces import cut, merged


@given(tokens=st.lists(st.integers(2, 99), max_size=60), room=st.integers(1, 20))
def test_every_token_is_in_one_piece_in_order_between_the_special_ones(tokens: list[int], room: int) -> None:
    pieces = cut(np.array([0, *tokens, 1], dtype=np.int32), room)

    assert [token for piece in pieces for token in piece[1:-1].tolist()] == tokens
    assert all(piece[0] == 0 and piece[-1] == 1 for piece in pieces)
    assert max(len(piece) - 2 for piece in pieces) <= room
    assert len(pieces) == max(1, -(-len(tokens) // room))


ROWS = st.lists(st.dictionaries(st.integers(0, 9), st.floats(0.5, 4, width=16), max_size=5), max_size=4)


@given(texts=st.lists(ROWS.filter(bool), max_size=5))
def test_a_text_has_each_term_of_its_pieces_with_its_largest_weight(
    texts: list[list[dict[int, float]]],
) -> None:
    rows = [
        (np.array(sorted(piece), np.int32), np.array([piece[term] for term in sorted(piece)], np.float32))
        for pieces in texts
        for piece in pieces
    ]

    merged_rows = list(merged(rows, [len(pieces) for pieces in texts]))

    for pieces, (terms, weights) in zip(texts, merged_rows, strict=True):
        every = sorted({term for piece in pieces for term in piece})
        assert terms.tolist() == every
        assert weights.tolist() == [max(piece.get(term, 0) for piece in pieces) for term in every]

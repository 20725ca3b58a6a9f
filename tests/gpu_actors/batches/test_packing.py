"""Packed rows: every token once, in its row's order, wherever rows of one length happen to lie."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from gpu_actors.batches.packing import pack, pad


@given(lengths=st.lists(st.integers(1, 40), min_size=1, max_size=30), multiple=st.sampled_from([1, 8, 16]))
def test_every_row_is_found_whole_in_the_blocks_in_order(lengths: list[int], multiple: int) -> None:
    token_ids = np.arange(1, sum(lengths) + 1, dtype=np.int32)

    packed = pack(token_ids, lengths, multiple)

    rows = [row for block in packed.blocks for row in block.of(packed.ids).tolist()]
    real = [row for block in packed.blocks for row in block.of(packed.real).tolist()]
    places = [row for block in packed.blocks for row in block.of(packed.positions).tolist()]
    expected = [ids.tolist() for ids in np.split(token_ids, np.cumsum(lengths)[:-1])]
    assert [row[: len(ids)] for row, ids in zip(rows, expected, strict=True)] == expected
    assert [sum(flags) for flags in real] == lengths and all(flags == sorted(flags)[::-1] for flags in real)
    assert all(place == list(range(len(place))) and len(place) % multiple == 0 for place in places)
    covered = packed.blocks[-1].tokens.stop
    assert packed.rows == len(lengths) and packed.is_whole == (covered == len(token_ids))
    assert not packed.real[covered:].any() and len(packed.ids) <= covered + max(15, covered // 16)
    assert [block.rows.start for block in packed.blocks[1:]] == [b.rows.stop for b in packed.blocks[:-1]]


def test_products_see_few_different_numbers_of_tokens() -> None:
    sizes = {len(pack(np.ones(tokens, dtype=np.int32), (tokens,), 1).ids) for tokens in range(1, 4097)}

    assert len(sizes) <= 16 + 4 * 16 + 1 and max(sizes) == 4096


def test_a_rectangle_has_no_filler() -> None:
    assert len(pad(np.ones(17 * 33, dtype=np.int32), (33,) * 17).ids) == 17 * 48


def test_a_rectangle_is_padded_on_the_right_and_masked() -> None:
    ids, mask = pad(np.array([7, 8, 9, 5], dtype=np.int32), (3, 1)).rectangle("cpu")

    assert ids.shape == mask.shape == (2, 16) and ids.dtype == mask.dtype == torch.int64
    assert ids[:, :4].tolist() == [[7, 8, 9, 0], [5, 0, 0, 0]]
    assert mask.sum(1).tolist() == [3, 1]

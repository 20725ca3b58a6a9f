"""Rows of tokens laid out end to end, so that a transformer computes almost no padding.

Input: a micro-batch's token ids and lengths. Output: the tokens with their positions, and the blocks of
neighbouring rows of one length: matrix products use [tokens, width], attention and pooling use those blocks
as [rows, length, ...]. Rows may be rounded up to a multiple for attention. Filler after the last row limits
the number of different sizes: torch and oneDNN cache something for each, which grew by 1.5 MB per micro-batch
without limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gpu_actors.batches.token_budget import TokenIds

__all__ = ["EqualRows", "PackedRows", "pack", "pad", "second_segment"]

SIZES_PER_OCTAVE: Final = 16

RECTANGLE_MULTIPLE: Final = 16
"""Rectangles are a multiple of this many tokens wide: kernels of every device are faster then."""


@dataclass(frozen=True, slots=True)
class EqualRows:
    """Neighbouring rows of one length."""

    tokens: slice
    rows: slice
    length: int

    def of(self, packed: Tensor) -> Tensor:
        """Its part of [tokens, ...] as [rows, length, ...]; a view."""
        return packed[self.tokens].view(-1, self.length, *packed.shape[1:])


@dataclass(frozen=True, slots=True)
class PackedRows:
    """The rows of a micro-batch, in order."""

    ids: Tensor
    """int64 [tokens]."""
    positions: Tensor
    """Position in the row, int64 [tokens]."""
    real: Tensor
    """bool [tokens]; False: padding at the end of a row, or filler behind the last."""
    blocks: tuple[EqualRows, ...]
    is_whole: bool
    """Whether no row has padding."""

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(block.rows.stop - block.rows.start for block in self.blocks)

    def rectangle(self, device: str) -> tuple[Tensor, Tensor]:
        """Return (ids, mask), int64 [rows, longest] each, of rows that are one block."""
        (block,) = self.blocks
        return block.of(self.ids).to(device), block.of(self.real).to(device, torch.int64)


def pack(token_ids: TokenIds, lengths: Sequence[int], multiple: int) -> PackedRows:
    """Pack rows given end to end, int32 [sum(lengths)], each padded to a multiple of `multiple` tokens."""
    counts = np.asarray(lengths, dtype=np.int64)
    rooms = -(-counts // multiple) * multiple
    return _laid_out(token_ids, counts, rooms, _rounded(int(rooms.sum())))


def pad(token_ids: TokenIds, lengths: Sequence[int]) -> PackedRows:
    """Pack the same as one block, for forwards that need a rectangle: every row as long as the longest."""
    counts = np.asarray(lengths, dtype=np.int64)
    longest = -(-int(counts.max()) // RECTANGLE_MULTIPLE) * RECTANGLE_MULTIPLE
    return _laid_out(token_ids, counts, np.full_like(counts, longest), len(counts) * longest)


def second_segment(rows: PackedRows, separator: int) -> Tensor:
    """Return which tokens are after the first separator of their row, bool [tokens]; padding is not."""
    is_separator = rows.ids == separator
    before = is_separator.cumsum(0) - is_separator.long()
    first = torch.arange(len(rows.ids)) - rows.positions
    return (before > before[first]) & rows.real


def _laid_out(
    token_ids: TokenIds, counts: npt.NDArray[np.int64], rooms: npt.NDArray[np.int64], size: int
) -> PackedRows:
    """Rows of `counts` tokens in `rooms` places each, and filler up to `size`."""
    ends = np.cumsum(rooms)
    positions = np.zeros(size, dtype=np.int64)
    positions[: ends[-1]] = np.arange(ends[-1]) - np.repeat(ends - rooms, rooms)
    real = np.zeros(size, dtype=np.bool_)
    real[: ends[-1]] = positions[: ends[-1]] < np.repeat(counts, rooms)
    ids = np.zeros(size, dtype=np.int64)
    ids[real] = token_ids
    blocks = []
    token = row = 0
    for length, group in groupby(rooms.tolist()):
        rows = len(list(group))
        blocks.append(EqualRows(slice(token, token + rows * length), slice(row, row + rows), length))
        token, row = token + rows * length, row + rows
    whole = bool((rooms == counts).all())
    tensors = [torch.from_numpy(each) for each in (ids, positions, real)]
    return PackedRows(tensors[0], tensors[1], tensors[2], tuple(blocks), whole)


def _rounded(tokens: int) -> int:
    """The next of sixteen sizes per octave, so at most a sixteenth more, multiples of sixteen."""
    step = max(SIZES_PER_OCTAVE, (1 << (tokens.bit_length() - 1)) // SIZES_PER_OCTAVE)
    return -(-tokens // step) * step

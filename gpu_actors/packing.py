"""Rows of tokens laid out end to end, so that a transformer computes next to nothing that is padding.

Comes in: a micro-batch's token ids and lengths. Leaves: the tokens with their positions, and where rows of
one length lie together: matrix products see [tokens, width], attention and pooling see those blocks as
[rows, length, ...]. Rows may be rounded up to a multiple where attention wants that.
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

from gpu_actors.budget import TokenIds

__all__ = ["Block", "PackedRows", "pack", "pad"]

RECTANGLE_MULTIPLE: Final = 16
"""Rectangles are so many tokens wide, or a multiple: kernels of every device like that better."""


@dataclass(frozen=True, slots=True)
class Block:
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
    """In its row, int64 [tokens]."""
    real: Tensor
    """bool [tokens]; False: padding at the end of a row."""
    blocks: tuple[Block, ...]

    @property
    def rows(self) -> int:
        """How many there are."""
        return sum(block.rows.stop - block.rows.start for block in self.blocks)

    def rectangle(self, device: str) -> tuple[Tensor, Tensor]:
        """(ids, mask), int64 [rows, longest] each, of rows that are one block."""
        (block,) = self.blocks
        return block.of(self.ids).to(device), block.of(self.real).to(device, torch.int64)

    @property
    def is_whole(self) -> bool:
        """Whether nothing is padding."""
        return bool(self.real.all())


def pack(token_ids: TokenIds, lengths: Sequence[int], multiple: int) -> PackedRows:
    """Rows given end to end, int32 [sum(lengths)], each rounded up to a multiple of so many tokens."""
    counts = np.asarray(lengths, dtype=np.int64)
    return _laid_out(token_ids, counts, -(-counts // multiple) * multiple)


def pad(token_ids: TokenIds, lengths: Sequence[int]) -> PackedRows:
    """The same as one block, for forwards that take a rectangle: every row as long as the longest."""
    counts = np.asarray(lengths, dtype=np.int64)
    longest = -(-int(counts.max()) // RECTANGLE_MULTIPLE) * RECTANGLE_MULTIPLE
    return _laid_out(token_ids, counts, np.full_like(counts, longest))


def _laid_out(token_ids: TokenIds, counts: npt.NDArray[np.int64], rooms: npt.NDArray[np.int64]) -> PackedRows:
    """Rows of `counts` tokens in `rooms` places each."""
    ends = np.cumsum(rooms)
    positions = np.arange(ends[-1]) - np.repeat(ends - rooms, rooms)
    real = positions < np.repeat(counts, rooms)
    ids = np.zeros(len(real), dtype=np.int64)
    ids[real] = token_ids
    blocks = []
    token = row = 0
    for length, group in groupby(rooms.tolist()):
        rows = len(list(group))
        blocks.append(Block(slice(token, token + rows * length), slice(row, row + rows), length))
        token, row = token + rows * length, row + rows
    return PackedRows(
        torch.from_numpy(ids), torch.from_numpy(positions), torch.from_numpy(real), tuple(blocks)
    )

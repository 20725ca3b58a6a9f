"""Rows in batches of similar length, drawn again for each epoch, and what the network takes of them.

Input: rows. Output: padded tensors. Deterministic for a seed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import torch
from torch import Tensor

from gpu_actors.training.extraction.rows import LABELS, DirectionRow, TextRow

__all__ = ["DirectionBatch", "TextBatch", "batched", "direction_batch", "text_batch"]

MULTIPLE: Final = 16
"""Rows are padded to a multiple of this: products in bf16 are faster then."""

BUCKETS: Final = 8
"""Batches are drawn from shuffled runs of this many, sorted by length: little padding, still random."""

Row = TypeVar("Row", TextRow, DirectionRow)


@dataclass(frozen=True, slots=True)
class TextBatch:
    """Rows of texts."""

    rows: tuple[TextRow, ...]
    ids: Tensor
    """int64 [rows, tokens]."""
    real: Tensor
    """bool [rows, tokens]."""
    words: Tensor
    """Word of each piece, int64 [rows, tokens]; `most` for special tokens and padding."""
    most: int
    """Words of the row with most."""
    lengths: Tensor
    """Words of each row, int64 [rows]."""
    allowed: Tensor
    """bool [rows, most, labels]."""


@dataclass(frozen=True, slots=True)
class DirectionBatch:
    """Questions."""

    ids: Tensor
    real: Tensor
    directions: Tensor
    """int64 [rows]."""


def batched(rows: Sequence[Row], tokens: int, draw: random.Random | None = None) -> list[tuple[Row, ...]]:
    """Rows in batches of at most that many tokens, padding included; in random order if `draw` is given."""
    order = list(rows)
    if draw is None:
        return list(_filled(sorted(order, key=lambda row: len(row.ids)), tokens))
    draw.shuffle(order)
    mean = sum(len(row.ids) for row in order) / max(1, len(order))
    run = max(1, int(BUCKETS * tokens / max(1.0, mean)))
    batches: list[tuple[Row, ...]] = []
    for start in range(0, len(order), run):
        batches += _filled(sorted(order[start : start + run], key=lambda row: len(row.ids)), tokens)
    draw.shuffle(batches)
    return batches


def _filled(rows: Sequence[Row], tokens: int) -> Iterator[tuple[Row, ...]]:
    batch: list[Row] = []
    for row in rows:
        if batch and _padded(len(row.ids)) * (len(batch) + 1) > tokens:
            yield tuple(batch)
            batch = []
        batch.append(row)
    if batch:
        yield tuple(batch)


def text_batch(rows: Sequence[TextRow]) -> TextBatch:
    """Tensors of rows of texts, none without words."""
    ids, real = _ids(rows)
    most = max(len(row.words) for row in rows)
    words = torch.full(ids.shape, most)
    allowed = torch.ones(len(rows), most, len(LABELS), dtype=torch.bool)
    for number, row in enumerate(rows):
        for word, (start, end) in enumerate(row.words):
            words[number, start:end] = word
        allowed[number, : len(row.words)] = torch.from_numpy(row.allowed)
    lengths = torch.tensor([len(row.words) for row in rows])
    return TextBatch(tuple(rows), ids, real, words, most, lengths, allowed)


def direction_batch(rows: Sequence[DirectionRow]) -> DirectionBatch:
    """Tensors of questions."""
    ids, real = _ids(rows)
    return DirectionBatch(ids, real, torch.tensor([row.direction for row in rows]))


def _ids(rows: Sequence[Row]) -> tuple[Tensor, Tensor]:
    longest = _padded(max(len(row.ids) for row in rows))
    ids = torch.zeros(len(rows), longest, dtype=torch.int64)
    real = torch.zeros(len(rows), longest, dtype=torch.bool)
    for number, row in enumerate(rows):
        ids[number, : len(row.ids)] = torch.tensor(row.ids)
        real[number, : len(row.ids)] = True
    return ids, real


def _padded(length: int) -> int:
    return -(-length // MULTIPLE) * MULTIPLE

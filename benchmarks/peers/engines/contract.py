"""What an engine is: token rows in, pooled vectors out, and how a process's cores are given to it.

Comes in: rows end to end and their lengths. Leaves: float32 [n, d], not yet of unit length. Imports numpy and
medkg's batching only, since it is read in every engine's environment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from gpu_actors.batches.micro_batches import MicroBatch, MicroBatches
from gpu_actors.batches.token_budget import TokenBudget, TokenIds

__all__ = [
    "BATCH_TOKENS",
    "Encode",
    "Engine",
    "Layout",
    "Rows",
    "Setting",
    "Vectors",
    "encoded",
    "on_padded",
    "spread",
]

Rows: TypeAlias = Sequence[TokenIds]
Vectors: TypeAlias = npt.NDArray[np.float32]
Encode: TypeAlias = Callable[[TokenIds, Sequence[int]], Vectors]
"""(rows end to end, their lengths) -> pooled vectors, float32 [n, d]."""

BATCH_TOKENS: Final = 4096
"""Padded tokens of a micro-batch, medkg's own budget."""

ROW_MULTIPLE: Final = 16
"""Rectangles are so wide, or a multiple, for everybody: flash attention in bf16 is slower otherwise."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How the cores are used: calls at once, threads within each, and how large a call is."""

    lanes: int
    threads: int
    batch_tokens: int
    batch_rows: int | None = None
    """Rows of a call instead of a token budget, where that is how its users call it."""

    def __str__(self) -> str:
        size = f"{self.batch_rows} rows" if self.batch_rows else f"{self.batch_tokens} tokens"
        return f"{self.lanes} x {self.threads} threads, {size}"


@dataclass(frozen=True, slots=True)
class Setting:
    """What an engine is loaded with."""

    variant: str
    folder: Path
    """Of the model."""
    layout: Layout
    sample: Rows
    """For calibration, where a variant wants it."""
    scratch: Path
    """A folder of this process's own."""


class Engine(Protocol):
    """A module of this package that runs a model."""

    def layouts(self, cores: int) -> Sequence[Layout]:
        """The ways worth trying."""

    def load(self, setting: Setting) -> Encode:
        """The model, ready; raises ImportError where its package is absent."""


def spread(cores: int, batch_tokens: int = BATCH_TOKENS) -> list[Layout]:
    """A stream a core, and one call over all cores."""
    ways = sorted({(cores, 1), (1, cores)}, reverse=True)
    return [Layout(lanes, threads, batch_tokens) for lanes, threads in ways]


def on_padded(forward: Callable[[Any, Any], Vectors]) -> Encode:
    """An encode of a forward that takes (ids, mask), int64 [rows, longest]."""

    def encode(token_ids: TokenIds, lengths: Sequence[int]) -> Vectors:
        counts = np.asarray(lengths)
        mask = np.arange(-(-int(counts.max()) // ROW_MULTIPLE) * ROW_MULTIPLE) < counts[:, None]
        ids = np.zeros(mask.shape, dtype=np.int64)
        ids[mask] = token_ids
        return forward(ids, mask.astype(np.int64))

    return encode


def encoded(rows: Rows, encode: Encode, layout: Layout) -> Vectors:
    """Unit vectors of all rows, in order, longest first, `layout.lanes` calls at once."""
    batches = list(_batches(rows, layout))
    with ThreadPoolExecutor(layout.lanes) as threads:
        parts = list(threads.map(lambda batch: encode(batch.token_ids, batch.lengths), batches))
    vectors = np.zeros((len(rows), parts[0].shape[1]), dtype=np.float32)
    for batch, part in zip(batches, parts, strict=True):
        vectors[list(batch.positions)] = part
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def _batches(rows: Rows, layout: Layout) -> Iterator[MicroBatch]:
    if layout.batch_rows is None:
        yield from MicroBatches(rows, TokenBudget(layout.batch_tokens), layout.lanes)
        return
    order = sorted(range(len(rows)), key=lambda position: -len(rows[position]))
    for start in range(0, len(order), layout.batch_rows):
        positions = tuple(order[start : start + layout.batch_rows])
        chosen = [rows[position] for position in positions]
        yield MicroBatch(positions, np.concatenate(chosen), tuple(map(len, chosen)))
